//! The rules for paths (protocol section 12). Knows no tree.
