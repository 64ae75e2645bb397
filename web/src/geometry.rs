//! Where things stand on the stage. Knows numbers of nodes and pixels of the view box, nothing of the cluster.

use core::f64::consts::TAU;

/// Radius of a node.
pub(crate) const NODE: f64 = 33.0;
/// Distance from a node's centre at which links begin.
const REACH: f64 = 46.0;
/// How far the two directions of a link lie beside its middle.
const ASIDE: f64 = 4.5;

/// A point of the view box.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The stage's size and its ring.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ring {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) nodes: u8,
}

impl Ring {
    /// The ring for a wide stage, or for one as narrow as a phone.
    pub(crate) fn new(nodes: u8, narrow: bool) -> Self {
        let (width, height) = if narrow {
            (430.0, 360.0)
        } else {
            (740.0, 452.0)
        };
        Self {
            width,
            height,
            nodes,
        }
    }

    pub(crate) fn centre(self) -> Point {
        Point {
            x: self.width / 2.0,
            y: self.height / 2.0 + 9.0,
        }
    }

    /// Half axes.
    pub(crate) fn radii(self) -> (f64, f64) {
        (
            (self.width / 2.0 - 84.0).min(252.0),
            self.height / 2.0 - 83.0,
        )
    }

    /// The middle of a node; nodes are numbered from 1, clockwise from the top.
    pub(crate) fn node(self, id: u64) -> Point {
        let angle = TAU * (id.saturating_sub(1)) as f64 / f64::from(self.nodes.max(1));
        let (rx, ry) = self.radii();
        let middle = self.centre();
        Point {
            x: middle.x + rx * angle.sin(),
            y: middle.y - ry * angle.cos(),
        }
    }

    /// The two ends of one direction of a link.
    pub(crate) fn link(self, from: u64, to: u64) -> (Point, Point) {
        let (a, b) = (self.node(from), self.node(to));
        let (ux, uy) = unit(a, b);
        let (ox, oy) = (-uy * ASIDE, ux * ASIDE);
        (
            Point {
                x: a.x + ux * REACH + ox,
                y: a.y + uy * REACH + oy,
            },
            Point {
                x: b.x - ux * REACH + ox,
                y: b.y - uy * REACH + oy,
            },
        )
    }

    /// How many clients of a node have room beside it.
    pub(crate) fn seats(self, id: u64) -> usize {
        let (node, middle) = (self.node(id), self.centre());
        let edge = match node.x >= middle.x - 1.0 {
            true => self.width - node.x,
            false => node.x,
        };
        // Three columns at most: then the next node begins.
        let columns = ((edge - 16.0 - 62.0) / 26.0).clamp(0.0, 2.0) as usize + 1;
        columns * 4
    }

    /// Where the `place`-th client of a node stands: outside the ring.
    pub(crate) fn guest(self, id: u64, place: usize) -> Point {
        let (node, middle) = (self.node(id), self.centre());
        let right = node.x >= middle.x - 1.0;
        let side = if right { 1.0 } else { -1.0 };
        let flat = (node.x - middle.x).abs() < 60.0;
        let column = (place / 4) as f64;
        let row = (place % 4) as f64;
        let x = node.x + side * (62.0 + column * 26.0);
        let start: f64 = if flat { -14.0 } else { -44.0 };
        // At the foot of the stage a column begins so high that all four have room.
        let start = start.min(self.height - 16.0 - 90.0 - node.y);
        Point {
            x: x.clamp(16.0, self.width - 16.0),
            y: (node.y + start + row * 30.0).clamp(16.0, self.height - 16.0),
        }
    }
}

/// The point `part` of the way from `a` to `b`.
pub(crate) fn between(a: Point, b: Point, part: f64) -> Point {
    Point {
        x: a.x + (b.x - a.x) * part,
        y: a.y + (b.y - a.y) * part,
    }
}

/// Whether the stretches a-b and c-d cross.
pub(crate) fn cross(a: Point, b: Point, c: Point, d: Point) -> bool {
    let side = |p: Point, q: Point, r: Point| (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

fn unit(a: Point, b: Point) -> (f64, f64) {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx.hypot(dy).max(1.0);
    (dx / length, dy / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_a_node_stand_apart_and_on_the_stage() {
        for (nodes, narrow) in (3..=9).flat_map(|nodes| [(nodes, false), (nodes, true)]) {
            let ring = Ring::new(nodes, narrow);
            for id in 1..=u64::from(nodes) {
                let seats: Vec<Point> = (0..ring.seats(id))
                    .map(|place| ring.guest(id, place))
                    .collect();
                for (place, seat) in seats.iter().enumerate() {
                    assert!(
                        0.0 < seat.x && seat.x < ring.width && 0.0 < seat.y && seat.y < ring.height
                    );
                    for other in &seats[..place] {
                        let apart = (seat.x - other.x).hypot(seat.y - other.y);
                        assert!(20.0 < apart, "{nodes} nodes, {id}: {seat:?} {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_stroke_between_two_nodes_crosses_their_link_only() {
        let ring = Ring::new(5, false);
        let (a, b) = (ring.node(1), ring.node(2));
        let middle = between(a, b, 0.5);
        let above = Point {
            x: middle.x + 20.0,
            y: middle.y - 30.0,
        };
        let below = Point {
            x: middle.x - 20.0,
            y: middle.y + 30.0,
        };
        let crossed = |from, to| {
            let (c, d) = ring.link(from, to);
            cross(above, below, c, d)
        };
        assert!(crossed(1, 2) && crossed(2, 1));
        assert!(!crossed(3, 4) && !crossed(1, 5));
    }
}
