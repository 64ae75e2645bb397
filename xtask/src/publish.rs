//! Puts the page into the folder of a site. Links name the core that made them; the page of each core that was ever published
//! there is kept in `cores/<name>`, and `cores.txt` lists them, so that a link still opens when the core has become another one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::core_hash::core_hash;
use crate::step::say;
use crate::web::{copy, pack_file};

/// Puts a built page into a folder. Whatever else lies there stays.
pub(crate) fn publish(page: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    ensure!(
        !folder.canonicalize()?.starts_with(page.canonicalize()?),
        "{} is made anew by each build; publish to a folder of the site",
        page.display()
    );
    let name = core_hash(crate::root());
    let kept = folder.join("cores").join(&name);
    let again = kept.exists();
    if again {
        // The same core behind a newer page: links mean the core.
        fs::remove_dir_all(&kept)?;
    }
    copy(page, &kept)?;
    copy(page, folder)?;
    let cores = cores(&folder.join("cores"))?;
    let list = folder.join("cores.txt");
    fs::write(&list, cores.join("\n") + "\n")?;
    pack_file(&list)?;
    say(&format!(
        "published to {}; {} {}, one of {} that open links",
        folder.display(),
        if again { "replaced core" } else { "kept core" },
        name,
        cores.len(),
    ));
    Ok(())
}

/// The names of the cores whose pages are kept in a folder, in order.
fn cores(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if name.len() == 12 && name.bytes().all(digit) && entry.path().join("index.html").is_file()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn a_site_keeps_the_pages_of_earlier_cores_and_what_else_lies_there() {
        let scratch =
            std::env::temp_dir().join(format!("otterkeeper-publish-{}", std::process::id()));
        let (page, site) = (scratch.join("page"), scratch.join("site"));
        fs::create_dir_all(page.join("icons")).unwrap();
        fs::write(page.join("index.html"), "new").unwrap();
        fs::write(page.join("icons/one.svg"), "<svg/>").unwrap();
        fs::write(page.join("cores.txt"), "").unwrap();
        fs::create_dir_all(site.join("cores/0123456789ab")).unwrap();
        fs::create_dir_all(site.join("cores/not-a-core")).unwrap();
        fs::create_dir_all(site.join("cores/0123456789ac")).unwrap();
        fs::write(site.join("cores/0123456789ab/index.html"), "old").unwrap();
        fs::write(site.join("index.html"), "old").unwrap();
        fs::write(site.join("CNAME"), "otters").unwrap();
        let read = |path: &str| fs::read_to_string(site.join(path)).unwrap();
        for _ in 0..2 {
            publish(&page, &site).unwrap();
            let name = core_hash(crate::root());
            let mut all = ["0123456789ab".to_owned(), name.clone()];
            all.sort();
            assert_eq!(read("cores.txt"), all.join("\n") + "\n");
            let packed = fs::read(site.join("cores.txt.gz")).unwrap();
            let mut plain = String::new();
            GzDecoder::new(packed.as_slice())
                .read_to_string(&mut plain)
                .unwrap();
            assert_eq!(plain, read("cores.txt"));
            assert_eq!(read("index.html"), "new");
            assert_eq!(read(&format!("cores/{name}/index.html")), "new");
            assert_eq!(read(&format!("cores/{name}/icons/one.svg")), "<svg/>");
            assert_eq!(read("cores/0123456789ab/index.html"), "old");
            assert_eq!(read("CNAME"), "otters");
        }
        assert!(publish(&page, &page.join("site")).is_err());
        fs::remove_dir_all(scratch).unwrap();
    }
}
