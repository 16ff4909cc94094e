//! The diagnosis of each kind of fault, beside twins that are not of that kind.
//!
//! Evidence is made up from seeded random numbers: a numeric gradient within its bounds, and an
//! analytic one with a fault planted in it.
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use gradcheck_runtime::diagnose::{Diagnosis, Kind, Only, Place, Region, Sizes, diagnose};
use gradcheck_runtime::evidence::{Block, Evidence, Verdict, norm};

// ---- Made-up evidence --------------------------------------------------------------------

/// splitmix64: small, seeded, the same everywhere.
struct Rng(u64);

impl Rng {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
    fn size(&mut self, low: usize, high: usize) -> usize {
        low + (self.bits() % (high - low + 1) as u64) as usize
    }
}

/// A state before anything is measured: `truth` is the right gradient.
#[derive(Clone, Default)]
struct State {
    dims: Vec<(&'static str, usize)>,
    steps: usize,
    blocks: Vec<(&'static str, Vec<usize>)>,
    primal: Vec<f64>,
    truth: Vec<f64>,
}

impl State {
    fn new(
        rng: &mut Rng,
        dims: &[(&'static str, usize)],
        blocks: &[(&'static str, &[usize])],
        scales: &[f64],
    ) -> Self {
        let mut state = State { dims: dims.to_vec(), ..State::default() };
        for (b, (name, shape)) in blocks.iter().enumerate() {
            state.blocks.push((name, shape.to_vec()));
            for _ in 0..shape.iter().product() {
                state.primal.push(rng.normal());
                state.truth.push(scales[b % scales.len()] * rng.normal());
            }
        }
        state
    }
    fn dim(&self, name: &str) -> usize {
        self.dims.iter().find(|d| d.0 == name).unwrap().1
    }
    /// Where the block stands in the flattened vectors.
    fn range(&self, name: &str) -> std::ops::Range<usize> {
        let mut start = 0;
        for (n, shape) in &self.blocks {
            let len = shape.iter().product::<usize>();
            if *n == name {
                return start..start + len;
            }
            start += len;
        }
        panic!("no block {name}")
    }
    fn shape(&self, name: &str) -> &[usize] {
        &self.blocks.iter().find(|b| b.0 == name).unwrap().1
    }
    /// The right gradient with one block replaced.
    fn with(&self, name: &str, f: impl Fn(usize, f64, f64) -> f64) -> Vec<f64> {
        let range = self.range(name);
        let mut g = self.truth.clone();
        for (i, k) in range.enumerate() {
            g[k] = f(i, self.truth[k], self.primal[k]);
        }
        g
    }
    fn all(&self, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.truth.iter().zip(&self.primal).map(|(&g, &w)| f(g, w)).collect()
    }
    /// One block of a matrix shape, by row and column.
    fn matrix(
        &self,
        name: &str,
        f: impl Fn(usize, usize, &dyn Fn(usize, usize) -> f64) -> f64,
    ) -> Vec<f64> {
        let (start, columns) = (self.range(name).start, self.shape(name)[1]);
        let at = |i: usize, j: usize| self.truth[start + i * columns + j];
        self.with(name, |k, _, _| f(k / columns, k % columns, &at))
    }
}

/// How the numeric side measures.
#[derive(Clone, Copy)]
struct Measure {
    /// Error bound relative to a component.
    bound: f64,
    /// Some components stand on kinks, and some are undecided.
    mess: bool,
}

const FINE: Measure = Measure { bound: 1e-10, mess: false };
const COARSE: Measure = Measure { bound: 1e-4, mess: false };

fn evidence(rng: &mut Rng, state: &State, analytic: &[f64], measure: Measure) -> Evidence {
    let tolerance = 2e-7;
    let mut blocks = Vec::new();
    let mut e = Evidence {
        blocks: Arc::new([]),
        dims: state.dims.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
        steps: state.steps,
        primal: state.primal.clone(),
        analytic: Arc::new(analytic.to_vec()),
        numeric: vec![0.0; analytic.len()].into(),
        bound: vec![0.0; analytic.len()].into(),
        verdict: Vec::new(),
        tolerance: vec![tolerance; state.blocks.len()],
        directions: Vec::new(),
    };
    let mut start = 0;
    for (name, shape) in &state.blocks {
        let len = shape.iter().product::<usize>();
        let range = start..start + len;
        let rms = norm(state.truth[range.clone()].iter().copied()) / (len.max(1) as f64).sqrt();
        for k in range.clone() {
            let bound = measure.bound * (state.truth[k].abs() + 0.1 * rms);
            let numeric = state.truth[k] + bound * rng.between(-1.0, 1.0);
            let d = (analytic[k] - numeric).abs();
            let scale = analytic[k].abs().max(numeric.abs());
            let draw = if measure.mess { rng.unit() } else { 1.0 };
            let (numeric, bound, verdict) = if draw < 0.04 {
                (numeric + rms * rng.normal(), bound, Verdict::Kink)
            } else if draw < 0.1 {
                let bound = 0.5 * (d + rms);
                (numeric + bound * rng.between(-1.0, 1.0), bound, Verdict::Undecided)
            } else if d > tolerance * scale + bound {
                (numeric, bound, Verdict::Wrong)
            } else {
                (numeric, bound, Verdict::Agrees)
            };
            e.numeric[k] = numeric;
            e.bound[k] = bound;
            e.verdict.push(verdict);
        }
        blocks.push(Block {
            name: (*name).to_owned(),
            full_name: format!("params.{name}"),
            shape: shape.clone(),
            complex: false,
            range: range.clone(),
            roundoff: f64::EPSILON / 2.0,
            jacobian: None,
        });
        start += len;
    }
    e.blocks = blocks.into();
    e
}

fn fails(e: &Evidence) -> bool {
    e.verdict.contains(&Verdict::Wrong)
}

/// Measures all states under a fault, failing ones first.
fn measured(
    rng: &mut Rng,
    states: &[State],
    measure: Measure,
    fault: &dyn Fn(&State) -> Vec<f64>,
) -> Vec<Evidence> {
    let mut all: Vec<Evidence> =
        states.iter().map(|s| evidence(rng, s, &fault(s), measure)).collect();
    all.sort_by_key(|e| !fails(e));
    all
}

// ---- Layouts -----------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// `W1 [h, n], b1 [h], W2 [k, h], b2 [k]` over a batch of m.
    Net,
    /// `w [n]` over m.
    Vector,
    /// `w [n]`, long.
    Long,
    /// `w [n, n]`
    Square,
    /// `w [n, k]` with different extents.
    Matrix,
    /// `w [n, k, n]`
    Cube,
    /// `a`, one scalar.
    Scalar,
    /// `a [n], b [n], c [n]`
    Triple,
    /// `w [n]` with derivatives 0 or 1 by the sign of the parameter.
    Steps,
}

fn state(layout: Layout, rng: &mut Rng, scales: &[f64]) -> State {
    let m = rng.size(1, 7);
    match layout {
        Layout::Net => {
            let (n, h, k) = (rng.size(1, 5), rng.size(1, 6), rng.size(1, 3));
            let blocks: [(&'static str, &[usize]); 4] =
                [("W1", &[h, n]), ("b1", &[h]), ("W2", &[k, h]), ("b2", &[k])];
            State::new(rng, &[("n", n), ("h", h), ("k", k), ("m", m)], &blocks, scales)
        }
        Layout::Vector => {
            let n = rng.size(1, 6);
            State::new(rng, &[("n", n), ("m", m)], &[("w", &[n])], scales)
        }
        Layout::Long => {
            let n = rng.size(140, 220);
            State::new(rng, &[("n", n), ("m", m)], &[("w", &[n])], scales)
        }
        Layout::Square => {
            let n = rng.size(2, 6);
            State::new(rng, &[("n", n), ("m", m)], &[("w", &[n, n])], scales)
        }
        Layout::Matrix => {
            let n = rng.size(3, 7);
            let k = n + rng.size(1, 3);
            State::new(rng, &[("n", n), ("k", k), ("m", m)], &[("w", &[n, k])], scales)
        }
        Layout::Cube => {
            let (n, k) = (rng.size(2, 4), rng.size(2, 4));
            State::new(rng, &[("n", n), ("k", k)], &[("w", &[n, k, n])], scales)
        }
        Layout::Scalar => State::new(rng, &[("m", m)], &[("a", &[])], scales),
        Layout::Steps => {
            let n = rng.size(3, 8);
            let mut s = State::new(rng, &[("n", n), ("m", m)], &[("w", &[n])], &[1.0]);
            s.truth = s.primal.iter().map(|&w| f64::from(u8::from(w > 0.0))).collect();
            s
        }
        Layout::Triple => {
            let n = rng.size(2, 5);
            let blocks: [(&'static str, &[usize]); 3] = [("a", &[n]), ("b", &[n]), ("c", &[n])];
            State::new(rng, &[("n", n), ("m", m)], &blocks, scales)
        }
    }
}

// ---- The table ---------------------------------------------------------------------------

/// Numbers that a fault keeps over the states of one check.
type Fixed = [f64; 3];

struct Fault {
    name: &'static str,
    layout: Layout,
    /// Labels that are right; none where no known shape is to be named.
    right: &'static [&'static str],
    /// Smallest number of failing states that are shown.
    least: usize,
    /// The fault needs fine bounds to be seen at all.
    fine: bool,
    plant: fn(&State, &Fixed) -> Vec<f64>,
}

const fn fault(
    name: &'static str,
    layout: Layout,
    right: &'static [&'static str],
    plant: fn(&State, &Fixed) -> Vec<f64>,
) -> Fault {
    Fault { name, layout, right, least: 1, fine: false, plant }
}

const fn fine(mut fault: Fault) -> Fault {
    fault.fine = true;
    fault
}

const fn over(least: usize, mut fault: Fault) -> Fault {
    fault.least = least;
    fault
}

fn scale_by(s: &State, k: f64) -> Vec<f64> {
    s.all(|g, _| k * g)
}

fn root(x: usize) -> f64 {
    (x as f64).sqrt()
}

const SIGN: &[&str] = &["sign flipped"];
const SCALED: &[&str] = &["scaled"];
const SLICED: &[&str] = &["scaled slice by slice"];
const TERM: &[&str] = &["term proportional to the parameter"];
const TRANSPOSED: &[&str] = &["transposed"];
const SOME: &[&str] = &["some components"];
const MASK: &[&str] = &["zero on a subset"];
// The first of two is shifted by one and reversed alike; so is a permutation of three.
const ORDER: &[&str] = &["reversed", "shifted by one", "in another order"];

fn faults() -> Vec<Fault> {
    use Layout::{Cube, Long, Matrix, Net, Scalar, Square, Steps, Triple, Vector};
    vec![
        fault("sign, whole", Net, SIGN, |s, _| s.all(|g, _| -g)),
        fault("sign, one block", Net, SIGN, |s, _| s.with("b1", |_, g, _| -g)),
        fault("sign, a scalar", Scalar, SIGN, |s, _| s.all(|g, _| -g)),
        fault("sign, two blocks", Net, SIGN, |s, _| {
            s.with("W2", |_, g, _| -g)
                .iter()
                .zip(s.with("b2", |_, g, _| -g))
                .zip(&s.truth)
                .map(|((a, b), t)| a + b - t)
                .collect()
        }),
        fault("times m, whole", Net, SCALED, |s, _| scale_by(s, s.dim("m") as f64)),
        fault("times m, vector", Vector, SCALED, |s, _| scale_by(s, s.dim("m") as f64)),
        over(2, fault("times m, scalar", Scalar, SCALED, |s, _| scale_by(s, s.dim("m") as f64))),
        fault("times 1/m", Net, SCALED, |s, _| scale_by(s, 1.0 / s.dim("m") as f64)),
        fault("times 1/m^2", Vector, SCALED, |s, _| scale_by(s, root(s.dim("m")).powi(-4))),
        fault("times sqrt m", Net, SCALED, |s, _| scale_by(s, root(s.dim("m")))),
        fault("times m n", Vector, SCALED, |s, _| scale_by(s, (s.dim("m") * s.dim("n")) as f64)),
        fault("times m/(m - 1)", Net, SCALED, |s, _| {
            let m = s.dim("m") as f64 + 1.0;
            scale_by(s, m / (m - 1.0))
        }),
        fault("times 2", Net, SCALED, |s, _| scale_by(s, 2.0)),
        fault("times 1/2, one block", Net, SCALED, |s, _| s.with("W2", |_, g, _| 0.5 * g)),
        fault("times 2, scalar", Scalar, SCALED, |s, _| scale_by(s, 2.0)),
        over(2, fault("times K, scalar", Scalar, SCALED, |s, f| scale_by(s, 1.5 + f[0]))),
        fault("times K, one block of m", Net, SCALED, |s, _| {
            let m = s.dim("m") as f64;
            s.with("W1", |_, g, _| m * g)
        }),
        fault("times K, whole", Net, SCALED, |s, f| scale_by(s, 1.2 + f[0])),
        fine(fault("a millionth off, whole", Net, SCALED, |s, _| scale_by(s, 1.000_001))),
        fine(fault("a millionth off, vector", Long, SCALED, |s, _| scale_by(s, 0.999_999))),
        fault("a norm left out", Long, SCALED, |s, _| scale_by(s, norm(s.primal.iter().copied()))),
        fault("minus 2", Vector, SCALED, |s, _| scale_by(s, -2.0)),
        fault("zero, whole", Net, &["zero gradient"], |s, _| s.all(|_, _| 0.0)),
        fault("zero, one block", Net, &["zero gradient"], |s, _| s.with("b1", |_, _, _| 0.0)),
        fault("zero, scalar", Scalar, &["zero gradient"], |s, _| s.all(|_, _| 0.0)),
        fault("transposed", Square, TRANSPOSED, |s, _| s.matrix("w", |i, j, at| at(j, i))),
        fault("column-major", Matrix, TRANSPOSED, |s, _| {
            let (r, c) = (s.shape("w")[0], s.shape("w")[1]);
            s.matrix("w", move |i, j, at| at((i * c + j) % r, (i * c + j) / r))
        }),
        fault("transposed, outer axes", Cube, TRANSPOSED, |s, _| {
            let (n, k) = (s.shape("w")[0], s.shape("w")[1]);
            s.with("w", |x, _, _| {
                let (a, b, c) = (x / (n * k), x / n % k, x % n);
                s.truth[c * n * k + b * n + a]
            })
        }),
        fault("penalty forgotten", Vector, TERM, |s, _| s.all(|g, w| g - 0.7 * w)),
        fault("penalty forgotten in matrices", Net, TERM, |s, f| {
            let a = s.with("W1", |_, g, w| g - f[0] * w);
            let b = s.with("W2", |_, g, w| g - f[0] * w);
            a.iter().zip(&b).zip(&s.truth).map(|((a, b), t)| a + b - t).collect()
        }),
        fault("penalty without its 1/m", Long, TERM, |s, _| {
            let m = s.dim("m") as f64;
            s.all(|g, w| g + (0.3 - 0.3 / m) * w)
        }),
        fault("penalty over m forgotten", Long, TERM, |s, _| {
            let m = s.dim("m") as f64;
            s.all(|g, w| g - 0.3 / m * w)
        }),
        fault("penalty counted twice", Long, TERM, |s, _| s.all(|g, w| g + 0.01 * w)),
        fault(
            "absolute penalty forgotten",
            Long,
            &["term proportional to the sign of the parameter"],
            |s, _| s.all(|g, w| g - 0.1 * w.signum()),
        ),
        fault("constant offset", Long, &["constant offset"], |s, f| s.all(|g, _| g + f[0])),
        fault("mean of rows not subtracted", Matrix, &["offset slice by slice"], |s, _| {
            let columns = s.shape("w")[1];
            s.matrix("w", |i, _, at| at(i, 0).mul_add(0.3, 0.0) + 0.0 * columns as f64)
                .iter()
                .zip(&s.truth)
                .map(|(c, g)| g + c)
                .collect()
        }),
        fault("row by row", Matrix, SLICED, |s, _| {
            s.matrix("w", |i, j, at| at(i, j) * (1.3 + i as f64).sqrt())
        }),
        fault("column by column", Matrix, SLICED, |s, _| {
            s.matrix("w", |i, j, at| at(i, j) * (2.7 + (j * j) as f64).ln())
        }),
        fault("swapped", Triple, &["swapped"], |s, _| {
            let (a, c) = (s.range("a"), s.range("c"));
            let mut g = s.truth.clone();
            g[a.clone()].copy_from_slice(&s.truth[c.clone()]);
            g[c].copy_from_slice(&s.truth[a]);
            g
        }),
        fault("another block's", Triple, &["another block's gradient"], |s, _| {
            let from = s.range("c").start;
            s.with("b", |i, _, _| s.truth[from + i])
        }),
        fault("reversed", Vector, ORDER, |s, _| {
            let n = s.truth.len();
            s.with("w", |i, _, _| s.truth[n - 1 - i])
        }),
        fault("shifted around", Long, &["shifted by one"], |s, _| {
            let n = s.truth.len();
            s.with("w", |i, _, _| s.truth[(i + n - 1) % n])
        }),
        fault("shifted, zero at the end", Long, &["shifted by one"], |s, _| {
            s.with("w", |i, _, _| s.truth.get(i + 1).copied().unwrap_or(0.0))
        }),
        fault("rows shifted", Matrix, &["shifted by one"], |s, _| {
            let rows = s.shape("w")[0];
            s.matrix("w", |i, j, at| at((i + 1) % rows, j))
        }),
        fault("first slice for all", Matrix, &["one slice for all"], |s, _| {
            s.matrix("w", |_, j, at| at(0, j))
        }),
        fault("mean for all", Matrix, &["one slice for all"], |s, _| {
            let columns = s.shape("w")[1];
            s.matrix("w", move |i, _, at| {
                (0..columns).map(|j| at(i, j)).sum::<f64>() / columns as f64
            })
        }),
        fault("one entry zero", Long, SOME, |s, _| {
            s.with("w", |i, g, _| if i == 137 { 0.0 } else { g })
        }),
        fault("one entry off", Long, SOME, |s, _| {
            s.with("w", |i, g, w| if i == 3 { g + 1e-3 * w } else { g })
        }),
        fine(fault("one entry off by 1e-6", Long, SOME, |s, _| {
            s.with("w", |i, g, _| if i == 41 { g * (1.0 + 1e-6) } else { g })
        })),
        fault("two entries off", Long, SOME, |s, _| {
            s.with("w", |i, g, _| if i == 3 || i == 41 { g + 0.1 } else { g })
        }),
        over(
            3,
            fault("one entry of a short vector", Triple, SOME, |s, f| {
                s.with("b", |i, g, w| if i == 1 { g * (1.0 + w * w) + f[0] } else { g })
            }),
        ),
        fault("last row forgotten", Matrix, MASK, |s, _| {
            let rows = s.shape("w")[0];
            s.matrix("w", move |i, j, at| if i + 1 == rows { 0.0 } else { at(i, j) })
        }),
        fault("first column wrong", Matrix, SOME, |s, _| {
            s.matrix("w", |i, j, at| if j == 0 { at(i, 0) + at(i, 1).sin() } else { at(i, j) })
        }),
        over(
            2,
            fault("off-diagonal twice", Square, &["some components", "transposed"], |s, _| {
                s.matrix("w", |i, j, at| if i == j { at(i, j) } else { 2.0 * at(i, j) })
            }),
        ),
        fault("lower triangle zero", Matrix, MASK, |s, _| {
            s.matrix("w", |i, j, at| if i > j { 0.0 } else { at(i, j) })
        }),
        fault("masked where negative", Long, MASK, |s, _| {
            s.all(|g, w| if w > 0.0 { g } else { 0.0 })
        }),
        fault("masked with the wrong limit", Long, MASK, |s, _| {
            s.all(|g, w| if w > 0.0 && w < 0.25 { 0.0 } else { g })
        }),
        over(
            3,
            fault("a step at the wrong place", Steps, MASK, |s, _| {
                s.all(|g, w| if w > 0.6 { g } else { 0.0 })
            }),
        ),
        over(2, fault("a step of the wrong sign", Steps, SIGN, |s, _| s.all(|g, _| -g))),
        fault("clipped", Long, &["clipped"], |s, f| {
            let at = f[1].max(0.3) * s.truth.iter().fold(0.0_f64, |m, g| m.max(g.abs())).min(0.5);
            s.all(|g, _| g.clamp(-at, at))
        }),
        fault("without the sign", Long, &["sign flipped", "some components"], |s, _| {
            s.all(|g, _| g.abs())
        }),
        fine(fault("rounded to f32 on the way", Long, &["single precision"], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            let half = f64::from(f32::EPSILON) * 4.0;
            s.truth.iter().map(|g| g * (1.0 + half * rng.normal())).collect()
        })),
        fault("a factor w missing", Long, &["factor of a parameter"], |s, _| s.all(|g, w| g / w)),
        fault("an exp missing", Vector, &["factor of a parameter"], |s, _| {
            s.all(|g, w| g * (-w).exp())
        }),
        fault("another parameter's factor missing", Triple, &["factor of a parameter"], |s, _| {
            let from = s.range("c").start;
            s.with("a", |i, g, _| g / s.primal[from + i])
        }),
        over(
            6,
            fault("a slice for a sum", Net, &["wrong only at a size"], |s, _| {
                // The rest of the sum is of random size; there is none where m is 1.
                let mut rng = Rng(s.truth[0].to_bits());
                let rest = if s.dim("m") > 1 { 1.0 } else { 0.0 };
                s.truth.iter().map(|g| g + rest * rng.normal()).collect()
            }),
        ),
        over(
            6,
            fault("wrong only after training", Net, &["wrong only after training"], |s, _| {
                let mut rng = Rng(s.truth[0].to_bits());
                let wrong = if s.steps > 0 { 1.0 } else { 0.0 };
                s.truth.iter().map(|g| g + wrong * rng.normal()).collect()
            }),
        ),
        over(
            2,
            fault("times 3/4, only after training", Vector, SCALED, |s, _| {
                scale_by(s, if s.steps > 0 { 0.75 } else { 1.0 })
            }),
        ),
        // Not of any known shape: nothing must be named.
        fault("noise of a tenth", Net, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            s.truth.iter().map(|g| g * (1.0 + 0.1 * rng.normal())).collect()
        }),
        fault("noise of a tenth, short", Vector, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            s.truth.iter().map(|g| g + 0.1 * rng.normal()).collect()
        }),
        fault("noise, scalar", Scalar, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            s.truth.iter().map(|g| g * (1.0 + 0.3 * rng.normal())).collect()
        }),
        fault("unrelated numbers", Matrix, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            s.truth.iter().map(|_| rng.normal()).collect()
        }),
        fault("unrelated numbers, two", Triple, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            let g = s.with("a", |_, _, _| 0.0);
            g.iter().map(|g| if *g == 0.0 { rng.normal() } else { *g }).collect()
        }),
        fault("a cube of the gradient", Long, &[], |s, _| s.all(|g, _| g + 0.1 * g * g * g)),
        fault("a square of the parameter", Vector, &[], |s, _| s.all(|g, w| g + 0.1 * w * w)),
        fault("tanh' of the wrong argument", Net, &[], |s, _| {
            let a = s.with("W1", |i, g, _| g * (1.0 - (i as f64 + g).tanh().powi(2)));
            let b = s.with("b1", |i, g, _| g * (1.0 - (i as f64 + g).tanh().powi(2)));
            a.iter().zip(&b).zip(&s.truth).map(|((a, b), t)| a + b - t).collect()
        }),
        fault("a small bias", Net, &[], |s, _| s.all(|g, w| g + 1e-3 * (w + 0.3).cos())),
        fault("noise in some states", Net, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            let wrong = if rng.unit() < 0.6 { 1.0 } else { 0.0 };
            s.truth.iter().map(|g| g + wrong * rng.normal()).collect()
        }),
        fault("noise in a few states", Net, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            let wrong = if rng.unit() < 0.2 { 1.0 } else { 0.0 };
            s.truth.iter().map(|g| g + wrong * rng.normal()).collect()
        }),
        fault("noise in some components", Long, &[], |s, _| {
            let mut rng = Rng(s.truth[0].to_bits());
            s.truth.iter().map(|g| if rng.unit() < 0.4 { g + rng.normal() } else { *g }).collect()
        }),
        fault("eps in the wrong place", Long, &[], |s, _| {
            s.all(|g, w| g * (w.abs() / (w.abs() + 1e-3)))
        }),
    ]
}

/// A check with a fault: its states, failing ones first, or `None` when none shows.
fn check(fault: &Fault, seed: u64) -> Option<Vec<Evidence>> {
    let mut rng = Rng(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ fault.name.len() as u64);
    let fixed: Fixed = [rng.between(0.1, 1.0), rng.between(0.1, 1.0), rng.between(0.1, 1.0)];
    let scales: Vec<f64> = (0..3).map(|_| 10f64.powf(rng.between(-1.0, 1.0))).collect();
    let bound = match rng.size(0, 5) {
        _ if fault.fine => 1e-10,
        0 => 1e-4,
        1 => 1e-6,
        2 => 1e-8,
        _ => 1e-10,
    };
    let measure = Measure { bound, mess: rng.size(0, 3) == 0 && fault.layout != Layout::Scalar };
    // What depends on a size needs all states of the check.
    let wanted = if fault.least >= 6 { 60 } else { rng.size(fault.least, 8) };
    let mut all = Vec::new();
    let mut failing = 0;
    for drawn in 0..60 {
        let mut s = state(fault.layout, &mut rng, &scales);
        s.steps = if rng.size(0, 1) == 0 { 0 } else { rng.size(1, 20) };
        let e = evidence(&mut rng, &s, &(fault.plant)(&s, &fixed), measure);
        // Like a check: many states, of which all that agree are kept, and some that fail.
        let wrong = fails(&e);
        if !wrong || failing < wanted {
            failing += usize::from(wrong);
            all.push(e);
        }
        if (failing >= wanted && drawn >= 10) || (fault.least >= 6 && drawn >= 24) {
            break;
        }
    }
    all.sort_by_key(|e| !fails(e));
    (failing >= fault.least).then_some(all)
}

#[test]
fn the_table() {
    let mut table =
        format!("{:36} {:>6} {:>6} {:>6}  mistaken for\n", "fault", "right", "silent", "wrong");
    let (mut named, mut right_all, mut wrong_all, mut all) = (0, 0, 0, 0);
    let mut weak = Vec::new();
    for fault in faults() {
        let (mut right, mut silent, mut wrong) = (0, 0, 0);
        let mut mistaken = Vec::new();
        for seed in 0..200 {
            let Some(states) = check(&fault, seed) else { continue };
            let diagnosis = diagnose(&states);
            let first = match &diagnosis.findings[0].kind {
                // A few masked components are the same thing as many.
                Kind::Components { how: Some(how) } if fault.right == MASK => match **how {
                    Kind::Zero | Kind::ForwardIgnores => MASK[0],
                    _ => how.label(),
                },
                kind => kind.label(),
            };
            // That some are wrong and some right is a fact, not a guess.
            let fact = matches!(
                diagnosis.findings[0].kind,
                Kind::Unknown | Kind::Components { how: None }
            );
            if fault.right.contains(&first) {
                right += 1;
            } else if fact {
                silent += 1;
            } else {
                wrong += 1;
                mistaken.push(format!("{first} ({seed})\n    {diagnosis}"));
            }
        }
        let total = right + silent + wrong;
        assert!(total > 150, "{} shows in {total} checks only", fault.name);
        if !fault.right.is_empty() {
            named += total;
            right_all += right;
            if right * 100 < 85 * total {
                weak.push(fault.name);
            }
        }
        if wrong * 100 > 4 * total {
            weak.push(fault.name);
        }
        wrong_all += wrong;
        all += total;
        mistaken.truncate(5);
        writeln!(
            table,
            "{:36} {right:6} {silent:6} {wrong:6}  {}",
            fault.name,
            mistaken.join(", ")
        )
        .unwrap();
    }
    writeln!(table, "right: {right_all} of {named}; confidently wrong: {wrong_all} of {all}")
        .unwrap();
    println!("{table}");
    assert!(right_all * 100 >= 95 * named, "{table}");
    assert!(wrong_all * 100 <= all, "{table}");
    assert!(weak.is_empty(), "{weak:?}\n{table}");
}

// ---- Words, and twins that must not get them -----------------------------------------------

/// A fault planted in several states of several seeds and precisions: every diagnosis.
fn diagnoses(layout: Layout, plant: &dyn Fn(&State) -> Vec<f64>) -> Vec<Diagnosis> {
    let mut out = Vec::new();
    for (seed, measure) in (0..20).flat_map(|s| [(s, FINE), (s, COARSE)]) {
        let mut rng = Rng(seed);
        let states: Vec<State> = (0..6).map(|_| state(layout, &mut rng, &[1.0, 3.0])).collect();
        let states = measured(&mut rng, &states, measure, plant);
        if fails(&states[0]) {
            out.push(diagnose(&states));
        }
    }
    assert!(out.len() >= 20, "the fault shows in {} checks", out.len());
    out
}

/// Every diagnosis of the fault has the words, and none of its twin has them.
fn words(
    words: &str,
    layout: Layout,
    plant: &dyn Fn(&State) -> Vec<f64>,
    twin: &dyn Fn(&State) -> Vec<f64>,
) {
    for d in diagnoses(layout, plant) {
        assert!(d.to_string().contains(words), "{words}: {d}");
    }
    for d in diagnoses(layout, twin) {
        assert!(!d.to_string().contains(words), "twin of {words}: {d}");
        assert!(!d.findings.is_empty());
    }
}

#[test]
fn sign() {
    words("sign flipped", Layout::Vector, &|s| s.all(|g, _| -g), &|s| s.all(|g, _| -1.001 * g));
    words("sign flipped in a", Layout::Scalar, &|s| s.all(|g, _| -g), &|s| {
        s.all(|g, w| -g * (1.0 + 0.1 * w))
    });
    words("sign flipped in b1", Layout::Net, &|s| s.with("b1", |_, g, _| -g), &|s| {
        s.with("b1", |i, g, _| -g * (2.0 + i as f64))
    });
    words("sign flipped in the whole gradient", Layout::Net, &|s| s.all(|g, _| -g), &|s| {
        s.with("b1", |_, g, _| -g)
    });
}

#[test]
fn scale() {
    let m = |s: &State| s.dim("m") as f64;
    words("= m", Layout::Long, &|s| s.all(|g, _| m(s) * g), &|s| s.all(|g, _| (m(s) + 0.5) * g));
    words("is a mean's 1/m missing?", Layout::Net, &|s| s.all(|g, _| m(s) * g), &|s| {
        s.all(|g, _| g / m(s))
    });
    words("divided by m once too often?", Layout::Net, &|s| s.all(|g, _| g / m(s)), &|s| {
        s.all(|g, _| g / (m(s) + 1.0))
    });
    words(" = m^2", Layout::Long, &|s| s.all(|g, _| g * m(s).powi(2)), &|s| {
        s.all(|g, _| g * m(s).powi(3))
    });
    words(" = sqrt(m)", Layout::Long, &|s| s.all(|g, _| g * m(s).sqrt()), &|s| {
        s.all(|g, _| g * (m(s) + 0.3).sqrt())
    });
    words("scaled by 2 in", Layout::Vector, &|s| s.all(|g, _| 2.0 * g), &|s| {
        s.all(|g, _| 2.01 * g)
    });
    words("scaled by 1.0373 in", Layout::Long, &|s| s.all(|g, _| 1.0373 * g), &|s| {
        s.all(|g, w| 1.0373 * g + 1e-3 * w.sin())
    });
}

#[test]
fn a_factor_of_a_millionth_is_written_out() {
    for (factor, text) in
        [(1.000_001, "scaled by 1.000001 in w"), (0.999_999, "scaled by 0.999999 in w")]
    {
        for seed in 0..50 {
            let mut rng = Rng(seed);
            let states: Vec<State> =
                (0..4).map(|_| state(Layout::Vector, &mut rng, &[1.0])).collect();
            let states = measured(&mut rng, &states, FINE, &|s| scale_by(s, factor));
            let text_of = diagnose(&states).to_string();
            assert!(text_of.starts_with(text), "{text_of}");
        }
    }
}

#[test]
fn one_scalar_in_one_state_says_little() {
    for seed in 0..100 {
        let mut rng = Rng(seed);
        let s = State::new(&mut rng, &[("m", 5), ("n", 3)], &[("a", &[])], &[1.0]);
        for (factor, words) in [
            (1.0373, "no known shape in a"),
            (-1.0, "sign flipped in a"),
            (5.0, "scaled by 5 = m in a"),
            (2.0, "scaled by 2 in a"),
            (1.0 / 3.0, "scaled by 0.3333 = 1/n in a"),
            (0.0, "zero gradient in a"),
        ] {
            let states =
                measured(&mut rng, std::slice::from_ref(&s), FINE, &|s| scale_by(s, factor));
            let d = diagnose(&states);
            assert!(d.to_string().starts_with(words), "{words}: {d}");
            assert_eq!(d.findings[0].facts.states, 1);
        }
    }
}

#[test]
fn two_dimensions_of_one_size_are_both_named() {
    let mut rng = Rng(1);
    let s = State::new(&mut rng, &[("m", 5), ("n", 5)], &[("a", &[3])], &[1.0]);
    let d = diagnose(&measured(&mut rng, &[s], FINE, &|s| scale_by(s, 5.0)));
    assert!(d.to_string().starts_with("scaled by 5 = m = n in a"), "{d}");
}

#[test]
fn zero() {
    words("zero gradient in b1", Layout::Net, &|s| s.with("b1", |_, _, _| 0.0), &|s| {
        s.with("b1", |_, g, _| 1e-9 * g)
    });
}

#[test]
fn the_forward_ignores_a_parameter() {
    for twin in [false, true] {
        let mut rng = Rng(3);
        let mut states: Vec<State> =
            (0..4).map(|_| state(Layout::Triple, &mut rng, &[1.0])).collect();
        for s in &mut states {
            let range = s.range("b");
            for k in range {
                s.truth[k] *= if twin { 1e-3 } else { 0.0 };
            }
        }
        let states = measured(&mut rng, &states, FINE, &|s| s.with("b", |_, _, w| w.cos()));
        let text = diagnose(&states).to_string();
        assert_eq!(text.contains("the forward does not depend on b:"), !twin, "{text}");
    }
    // A numeric derivative that rounding makes is not zero.
    let mut rng = Rng(3);
    let mut states: Vec<State> = (0..4).map(|_| state(Layout::Triple, &mut rng, &[1.0])).collect();
    for s in &mut states {
        for k in s.range("b") {
            s.truth[k] = 0.0;
        }
    }
    let mut states = measured(&mut rng, &states, FINE, &|s| s.with("b", |_, _, w| w.cos()));
    for e in &mut states {
        let range = e.blocks[1].range.clone();
        for k in range {
            (e.numeric[k], e.bound[k]) = (1e-9 * e.primal[k], 1e-9 * e.primal[k].abs());
        }
    }
    let text = diagnose(&states).to_string();
    assert!(text.starts_with("the forward shows no dependence on b beyond rounding:"), "{text}");
}

/// A block that is right in every state is no part of what is wrong, though it fits that as well.
#[test]
fn what_is_right_is_not_named() {
    for right in [false, true] {
        let mut rng = Rng(11);
        let mut states: Vec<State> =
            (0..4).map(|_| state(Layout::Triple, &mut rng, &[1.0])).collect();
        for s in states.iter_mut().skip(if right { 0 } else { 1 }) {
            for k in s.range("c") {
                s.truth[k] = 0.0;
            }
        }
        let states = measured(&mut rng, &states, FINE, &|s| s.all(|g, _| 0.3679 * g));
        let text = diagnose(&states).to_string();
        let place = if right { "in a, b" } else { "in the whole gradient" };
        assert_eq!(text, format!("scaled by 0.3679 {place}"));
    }
}

#[test]
fn penalties() {
    words(
        "missing term proportional to the parameter w (+0.7 w): is a penalty",
        Layout::Long,
        &|s| s.all(|g, w| g - 0.7 * w),
        &|s| s.all(|g, w| g - 0.7 * w.sin()),
    );
    words(
        "extra term proportional to the parameter w (+0.7 w): is a penalty",
        Layout::Long,
        &|s| s.all(|g, w| g + 0.7 * w),
        &|s| s.all(|g, w| g - 0.7 * w),
    );
    words("(+0.3/m w)", Layout::Long, &|s| s.all(|g, w| g - 0.3 / s.dim("m") as f64 * w), &|s| {
        s.all(|g, w| g - 0.3 / (s.dim("m") as f64 + 0.5) * w)
    });
    words(
        "proportional to the sign of the parameter w (+0.1 sign(w))",
        Layout::Long,
        &|s| s.all(|g, w| g - 0.1 * w.signum()),
        &|s| s.all(|g, w| g - 0.1 * w.tanh()),
    );
    // Another factor in each state is a penalty's where it varies little.
    for (low, high, asked) in [(0.2, 0.3, true), (0.1, 0.8, false), (-0.2, 0.3, false)] {
        let count = Cell::new(0);
        let fault = |s: &State| {
            let k = low + (high - low) * f64::from(count.replace(count.get() + 1) % 3) / 2.0;
            s.all(|g, w| g - k * w)
        };
        for d in diagnoses(Layout::Long, &fault) {
            let text = d.to_string();
            assert!(text.contains("term proportional to the parameter w ("), "{text}");
            let words = "a factor for each state): is a norm held fixed";
            assert_eq!(text.contains(words), !asked, "{text}");
            assert_eq!(text.contains(": is a penalty on one side only"), asked, "{text}");
            assert_eq!(low > 0.0, text.starts_with("missing"), "{text}");
        }
    }
    words(
        "proportional to the parameter in W1, W2 (+0.7 times it)",
        Layout::Net,
        &|s| {
            let a = s.with("W1", |_, g, w| g - 0.7 * w);
            let b = s.with("W2", |_, g, w| g - 0.7 * w);
            a.iter().zip(&b).zip(&s.truth).map(|((a, b), t)| a + b - t).collect()
        },
        &|s| s.with("W1", |_, g, w| g - 0.7 * w),
    );
    words("constant offset in w: 0.25", Layout::Long, &|s| s.all(|g, _| g + 0.25), &|s| {
        s.all(|g, w| g + 0.25 + 0.01 * w.cos())
    });
}

#[test]
fn orders_and_places() {
    words("transposed in w", Layout::Square, &|s| s.matrix("w", |i, j, at| at(j, i)), &|s| {
        s.matrix("w", |i, j, at| at(j, i) + 0.01 * at(i, i) + 0.01 * at(j, j))
    });
    words(
        "is row-major taken for column-major?",
        Layout::Matrix,
        &|s| {
            let (r, c) = (s.shape("w")[0], s.shape("w")[1]);
            s.matrix("w", move |i, j, at| at((i * c + j) % r, (i * c + j) / r))
        },
        &|s| s.matrix("w", |i, j, at| at(i, j) + at(0, 0)),
    );
    let later = |s: &State| {
        let n = s.truth.len();
        s.with("w", |i, _, _| s.truth[(i + n - 1) % n])
    };
    words("each stands one place later", Layout::Long, &later, &|s| {
        let n = s.truth.len();
        s.with("w", |i, _, _| s.truth[(i + n - 2) % n])
    });
    words(
        "reversed along axis 0 in w",
        Layout::Long,
        &|s| s.with("w", |i, _, _| s.truth[s.truth.len() - 1 - i]),
        &later,
    );
    words(
        "the right numbers in another order in w",
        Layout::Long,
        &|s| {
            let n = s.truth.len();
            s.with("w", |i, _, _| s.truth[(i + n / 2) % n])
        },
        &later,
    );
    let swap = |s: &State| {
        let (a, c) = (s.range("a"), s.range("c"));
        let mut g = s.truth.clone();
        g[a.clone()].copy_from_slice(&s.truth[c.clone()]);
        g[c].copy_from_slice(&s.truth[a]);
        g
    };
    let copy = |s: &State| s.with("b", |i, _, _| s.truth[s.range("c").start + i]);
    words("a swapped with c", Layout::Triple, &swap, &copy);
    words("another block's gradient: b holds that of c", Layout::Triple, &copy, &swap);
    words(
        "the first slice stands for each along axis 0",
        Layout::Matrix,
        &|s| s.matrix("w", |_, j, at| at(0, j)),
        &|s| s.matrix("w", |_, j, at| at(1, j)),
    );
    words(
        "the sum of all slices stands for each along axis 1",
        Layout::Matrix,
        &|s| {
            let columns = s.shape("w")[1];
            s.matrix("w", move |i, _, at| (0..columns).map(|j| at(i, j)).sum())
        },
        &|s| {
            let columns = s.shape("w")[1];
            s.matrix("w", move |i, _, at| (0..columns).map(|j| at(i, j).abs()).sum())
        },
    );
}

#[test]
fn some_components() {
    words(
        "w[137] (zero where the numeric is",
        Layout::Long,
        &|s| s.with("w", |i, g, _| if i == 137 { 0.0 } else { g }),
        &|s| s.with("w", |i, g, _| if i == 137 { 0.1 * g.sin() } else { g }),
    );
    words(
        "w[3], w[41] (off by 0.01 each)",
        Layout::Long,
        &|s| s.with("w", |i, g, _| if i == 3 || i == 41 { g + 0.01 } else { g }),
        &|s| s.with("w", |i, g, w| if i == 3 || i == 41 { g + 0.01 * w } else { g }),
    );
    words(
        "the last slice along axis 0 of w",
        Layout::Matrix,
        &|s| {
            let rows = s.shape("w")[0];
            s.matrix("w", move |i, j, at| if i + 1 == rows { 0.0 } else { at(i, j) })
        },
        &|s| s.matrix("w", |i, j, at| if i == 1 { 0.0 } else { at(i, j) }),
    );
    words(
        "all but the diagonal of w (scaled by 2)",
        Layout::Square,
        &|s| s.matrix("w", |i, j, at| if i == j { at(i, j) } else { 2.0 * at(i, j) }),
        &|s| s.matrix("w", |i, j, at| if i == j { 2.0 * at(i, j) } else { at(i, j) }),
    );
    words(
        "components: w where the parameter is negative: is a mask",
        Layout::Long,
        &|s| s.all(|g, w| if w > 0.0 { g } else { 0.0 }),
        &|s| s.all(|g, w| if w.sin() * 9.0 > w.cos() { g } else { 0.0 }),
    );
    words(
        "w where the parameter is between",
        Layout::Long,
        &|s| s.all(|g, w| if w > 0.0 && w < 0.25 { 0.0 } else { g }),
        &|s| s.all(|g, w| if (9.0 * w).sin() < 0.25 { 0.0 } else { g }),
    );
    words("clipped at 0.5 in w", Layout::Long, &|s| s.all(|g, _| g.clamp(-0.5, 0.5)), &|s| {
        s.all(|g, _| 0.5 * g.tanh())
    });
    words("exp(-w)", Layout::Vector, &|s| s.all(|g, w| g * (-w).exp()), &|s| {
        s.all(|g, w| g * (-1.01 * w).exp())
    });
}

#[test]
fn the_same_component_in_every_state() {
    // One of two, three times: the place is named, the kind is not.
    let mut rng = Rng(4);
    let mut states: Vec<State> = Vec::new();
    for _ in 0..3 {
        states.push(State::new(&mut rng, &[], &[("w", &[2])], &[1.0]));
    }
    let fault = |s: &State| s.with("w", |i, g, w| if i == 1 { g - w.cos() } else { g });
    let d = diagnose(&measured(&mut rng, &states, FINE, &fault));
    assert!(d.to_string().starts_with("one component of 2: w[1] (analytic "), "{d}");
    let place = &d.findings[0].place;
    let Place::Components { paths, region: Region::Listed, .. } = place else { panic!("{d}") };
    assert_eq!(paths, &["w[1]"]);
    // Now one, now the other: a fact, and no more.
    let fault = |s: &State| {
        let which = usize::from(s.truth[0] > s.truth[1]);
        s.with("w", |i, g, w| if i == which { g - w.cos() } else { g })
    };
    for _ in 0..5 {
        states.push(State::new(&mut rng, &[], &[("w", &[2])], &[1.0]));
    }
    let d = diagnose(&measured(&mut rng, &states, FINE, &fault));
    assert_eq!(d.findings[0].kind, Kind::Components { how: None }, "{d}");
    assert!(d.to_string().contains(", others in other states (analytic "), "{d}");
    let place = &d.findings[0].place;
    assert!(matches!(place, Place::Components { region: Region::Scattered, .. }), "{d}");
}

#[test]
fn single_precision() {
    let through = |g: f64, k: f64| f64::from((g * k) as f32) / k;
    let rounded = |k: f64| move |s: &State| s.all(|g, _| g * (1.0 + k * (1e6 * g).sin()));
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let states = [state(Layout::Long, &mut rng, &[1.0])];
        let d = diagnose(&measured(&mut rng, &states, FINE, &rounded(4e-7)));
        assert_eq!(d.findings[0].kind, Kind::SinglePrecision, "{d}");
        let d = diagnose(&measured(&mut rng, &states, FINE, &rounded(1e-4)));
        assert_eq!(d.findings[0].kind, Kind::Unknown, "{d}");
        // Not random: all of one sign.
        let d = diagnose(&measured(&mut rng, &states, FINE, &|s| {
            s.all(|g, _| g * (1.0 + 4e-7 * (1e6 * g).sin().abs()))
        }));
        assert_ne!(d.findings[0].kind, Kind::SinglePrecision, "{d}");
    }
    let mut rng = Rng(5);
    let states = [state(Layout::Long, &mut rng, &[1.0])];
    let tight = Measure { bound: 1e-12, mess: false };
    let mut e = measured(&mut rng, &states, tight, &|s| s.all(|g, _| through(g, 1.1)));
    // Under a tolerance of 1e-9 all of them are wrong.
    e[0].tolerance = vec![1e-9];
    for k in 0..e[0].numeric.len() {
        e[0].verdict[k] = if (e[0].analytic[k] - e[0].numeric[k]).abs() > 1e-9 {
            Verdict::Wrong
        } else {
            Verdict::Agrees
        };
    }
    assert_eq!(diagnose(&e).findings[0].kind, Kind::SinglePrecision);
}

/// States of one function with a term for each of `m` samples, their mean the gradient of `b`: the
/// parameters are the same at each size, and so are the first samples.
fn samples(rng: &mut Rng, sizes: &[usize]) -> Vec<(State, Vec<Vec<f64>>)> {
    let most = sizes.iter().max().copied().unwrap_or(0);
    let terms: Vec<Vec<f64>> = (0..most).map(|_| (0..3).map(|_| rng.normal()).collect()).collect();
    let first = State::new(rng, &[("m", 0)], &[("w", &[4]), ("b", &[3])], &[1.0]);
    let of = |&m: &usize| {
        let mut state = State { dims: vec![("m", m)], ..first.clone() };
        for i in 0..3 {
            state.truth[4 + i] = terms[..m].iter().map(|t| t[i]).sum::<f64>() / m as f64;
        }
        (state, terms[..m].to_vec())
    };
    sizes.iter().map(of).collect()
}

/// One part of a sum in place of all of it is told by the same state with fewer slices, and by
/// no other state.
#[test]
fn a_part_of_a_sum() {
    type Part = fn(&[Vec<f64>], usize) -> f64;
    let first: Part = |terms, i| terms[0][i] / terms.len() as f64;
    let last: Part = |terms, i| terms[terms.len() - 1][i] / terms.len() as f64;
    let but_last: Part =
        |terms, i| terms[..terms.len() - 1].iter().map(|t| t[i]).sum::<f64>() / terms.len() as f64;
    // Neither the first nor the last of five.
    let second: Part = |terms, i| terms[1.min(terms.len() - 1)][i] / terms.len() as f64;
    let cases: [(Part, &str); 4] = [
        (first, "first slice in place of the sum over m in b"),
        (last, "last slice in place of the sum over m in b: is it overwritten"),
        (but_last, "last slice left out of the sum over m in b"),
        (second, "wrong only where m >= 2, in b\n"),
    ];
    for (part, words) in cases {
        let mut rng = Rng(31);
        let mut states = samples(&mut rng, &[5, 1, 4]);
        for m in [3, 4, 6, 2] {
            states.extend(samples(&mut rng, &[m]));
        }
        let evidence: Vec<Evidence> = states
            .iter()
            .map(|(state, terms)| {
                let whole = terms.len() == 1;
                let g = state.with("b", |i, g, _| if whole { g } else { part(terms, i) });
                evidence(&mut rng, state, &g, FINE)
            })
            .collect();
        let d = diagnose(&evidence);
        assert!(d.to_string().starts_with(words), "{words}: {d}");
        // Without the states beside it nothing tells which slice it is.
        let mut alone = evidence;
        alone.drain(1..3);
        let d = diagnose(&alone);
        assert!(!d.to_string().contains("slice"), "{words}: {d}");
    }
}

#[test]
fn what_sets_failing_states_apart() {
    let check = |seed: u64, wrong: &dyn Fn(&State) -> bool| {
        let mut rng = Rng(seed);
        let mut states = Vec::new();
        for i in 0..32 {
            let mut s = state(Layout::Net, &mut rng, &[1.0]);
            s.steps = i % 2 * rng.size(1, 9);
            states.push(s);
        }
        let fault = |s: &State| {
            let mut rng = Rng(s.truth[0].to_bits());
            let wrong = f64::from(u8::from(wrong(s)));
            s.truth.iter().map(|g| g + wrong * rng.normal()).collect::<Vec<f64>>()
        };
        diagnose(&measured(&mut rng, &states, FINE, &fault))
    };
    for seed in 0..40 {
        let d = check(seed, &|s| s.steps > 0);
        assert_eq!(d.findings[0].kind, Kind::OnlyAfterTraining, "{d}");
        assert!(d.to_string().starts_with("wrong only after training in the whole gradient"));
        let d = check(seed, &|s| s.dim("m") > 1);
        let Kind::OnlyAtSize { dim, values } = &d.findings[0].kind else { panic!("{d}") };
        assert_eq!((dim.as_str(), *values), ("m", Sizes::AtLeast(2)));
        // What is wrong there is not known: nothing is asked.
        assert!(!d.to_string().contains('?'), "{d}");
        let d = check(seed, &|s| s.dim("m") == 1);
        if d.failing > 2 {
            assert!(d.to_string().starts_with("wrong only where m = 1, in"), "{d}");
        }
        // No limit between right and wrong: nothing is said.
        let d = check(seed, &|s| s.truth[0] > 0.0);
        assert_eq!(d.findings[0].kind, Kind::Unknown, "{d}");
    }
    // A known shape keeps its name, and says when as well.
    let mut rng = Rng(9);
    let mut states = Vec::new();
    for i in 0..16 {
        let mut s = state(Layout::Long, &mut rng, &[1.0]);
        s.steps = 5 * (i % 2);
        states.push(s);
    }
    let fault = |s: &State| scale_by(s, if s.steps > 0 { 0.75 } else { 1.0 });
    let d = diagnose(&measured(&mut rng, &states, FINE, &fault));
    assert_eq!(d.findings[0].only, Some(Only::AfterTraining));
    assert_eq!(d.to_string(), "scaled by 0.75 in w; wrong only after training");
}

#[test]
fn states_that_agree_choose_between_explanations() {
    // Twice too large where m is 2, and right where m is 1: that is m, not k, which is 2 always.
    let mut rng = Rng(6);
    let mut states = Vec::new();
    for m in [2, 1, 1] {
        states.push(State::new(&mut rng, &[("k", 2), ("m", m)], &[("w", &[3])], &[1.0]));
    }
    let fault = |s: &State| scale_by(s, s.dim("m") as f64);
    let d = diagnose(&measured(&mut rng, &states, FINE, &fault));
    assert!(d.to_string().starts_with("scaled by 2 = m in w"), "{d}");
    assert_eq!(d.findings[0].only, None);
}

#[test]
fn jacobians_have_no_parameters_to_be_proportional_to() {
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let n = rng.size(2, 5);
        let mut s = State::new(&mut rng, &[], &[("d out / d pose", &[n, n])], &[1.0]);
        let w = std::mem::take(&mut s.primal);
        let turned = s.truth.clone();
        let analytic: Vec<f64> = (0..n * n).map(|k| turned[k % n * n + k / n]).collect();
        let mut padded = s.clone();
        padded.primal = w.clone();
        let mut e = evidence(&mut rng, &padded, &analytic, FINE);
        e.primal.clear();
        let text = diagnose(&[e]).to_string();
        assert!(text.starts_with("transposed in d out / d pose"), "{text}");
        let analytic: Vec<f64> = turned.iter().zip(&w).map(|(g, w)| g - 0.7 * w).collect();
        let mut e = evidence(&mut rng, &padded, &analytic, FINE);
        e.primal.clear();
        assert_eq!(diagnose(&[e]).findings[0].kind, Kind::Unknown);
    }
}

#[test]
fn blocks_are_judged_each_by_itself() {
    // Three faults at once, beside a block that is right.
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let blocks: [(&'static str, &[usize]); 4] =
            [("W1", &[4, 3]), ("b1", &[4]), ("W2", &[2, 4]), ("b2", &[2])];
        let states: Vec<State> =
            (0..3).map(|_| State::new(&mut rng, &[("m", 7)], &blocks, &[1.0])).collect();
        let fault = |s: &State| {
            let mut g = s.with("W1", |_, g, _| 7.0 * g);
            for k in s.range("b1") {
                g[k] = 0.0;
            }
            for k in s.range("b2") {
                g[k] *= 7.0;
            }
            g
        };
        let d = diagnose(&measured(&mut rng, &states, FINE, &fault));
        let text = d.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{d}");
        assert!(lines[0].starts_with("scaled by 7 = m in W1, b2"), "{d}");
        assert!(lines[1].starts_with("zero gradient in b1"), "{d}");
        assert_eq!(d.findings[0].facts.right_blocks, ["W2"]);
    }
}

#[test]
fn a_small_block_follows_a_large_one() {
    // The scalar alone shows no factor of 1.0373; beside w, and off by the same, it does.
    let mut rng = Rng(8);
    let blocks: [(&'static str, &[usize]); 3] = [("w", &[9]), ("a", &[]), ("v", &[3])];
    let s = State::new(&mut rng, &[], &blocks, &[1.0]);
    let fault = |twin: bool| {
        move |s: &State| {
            let mut g = s.with("w", |_, g, _| 1.0373 * g);
            g[9] *= if twin { 1.038 } else { 1.0373 };
            for k in s.range("v") {
                g[k] = 0.0;
            }
            g
        }
    };
    let d = diagnose(&measured(&mut rng, std::slice::from_ref(&s), FINE, &fault(false)));
    assert!(d.to_string().starts_with("scaled by 1.0373 in w, a"), "{d}");
    let d = diagnose(&measured(&mut rng, &[s], FINE, &fault(true)));
    assert!(d.to_string().contains("no known shape in a"), "{d}");
}

#[test]
fn an_unknown_shape_gives_facts() {
    let mut rng = Rng(10);
    let states = [state(Layout::Long, &mut rng, &[1.0])];
    let d = diagnose(&measured(&mut rng, &states, FINE, &|s| {
        s.all(|g, w| g + 0.1 * w.powi(3) * (1.0 + 0.1 * g.tanh()))
    }));
    let facts = &d.findings[0].facts;
    let text = d.to_string();
    assert!(text.starts_with("no known shape in w\n  "), "{text}");
    assert!(facts.grows_with_parameter && text.contains("grow with the parameter"), "{text}");
    assert!(text.contains(&format!("most {}: analytic", facts.worst)), "{text}");
    assert!(facts.cosine > 0.0 && facts.cosine < 1.0 && facts.norm_ratio > 0.0);
    assert!(facts.wrong > 100 && facts.wrong <= facts.components);
    // Errors that do not grow with the parameter.
    let d = diagnose(&measured(&mut rng, &states, FINE, &|s| {
        s.all(|g, w| g + 0.1 * (50.0 * w).cos() * g.cos())
    }));
    assert!(!d.to_string().contains("grow with"), "{d}");
}

#[test]
fn nothing_wrong_nothing_found() {
    let mut rng = Rng(11);
    let states: Vec<State> = (0..5).map(|_| state(Layout::Net, &mut rng, &[1.0])).collect();
    let d = diagnose(&measured(&mut rng, &states, FINE, &|s| s.truth.clone()));
    assert!(d.findings.is_empty() && d.failing == 0 && d.states == 5);
    assert_eq!(d.to_string(), "");
    assert!(diagnose::<Evidence>(&[]).findings.is_empty());
}

#[test]
fn a_block_that_exceeds_its_tolerance_fails_too() {
    // Each component is within its own bound, and the block as a whole is not.
    let mut rng = Rng(12);
    let s = state(Layout::Long, &mut rng, &[1.0]);
    let mut e = measured(&mut rng, &[s], FINE, &|s| scale_by(s, 1.000_01)).remove(0);
    e.verdict.fill(Verdict::Agrees);
    let d = diagnose(&[&e]);
    assert!(d.to_string().starts_with("scaled by 1.00001 in w"), "{d}");
    e.bound = vec![1e-3; e.bound.len()].into();
    assert!(diagnose(&[&e]).findings.is_empty());
}

#[test]
fn not_finite() {
    let mut rng = Rng(13);
    let s = State::new(&mut rng, &[], &[("w", &[4]), ("b", &[2])], &[1.0]);
    let mut e = measured(&mut rng, &[s], FINE, &|s| s.truth.clone()).remove(0);
    Arc::make_mut(&mut e.analytic)[2] = f64::NAN;
    e.verdict[2] = Verdict::Wrong;
    let d = diagnose(&[&e]);
    assert!(d.to_string().starts_with("not finite: the analytic derivative in"), "{d}");
    assert!(d.to_string().contains("w[2]"), "{d}");
    e.numeric[2] = f64::INFINITY;
    Arc::make_mut(&mut e.analytic)[2] = 1.0;
    assert!(diagnose(&[&e]).to_string().contains("the numeric derivative"));
}

#[test]
fn any_evidence_is_met_without_a_panic() {
    let odd = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e308,
        -1e308,
        5e-324,
        1e-300,
        2.0,
    ];
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..6000 {
        let mut rng = Rng(seed);
        let count = rng.size(0, 4);
        let mut states = Vec::new();
        for _ in 0..count {
            let mut blocks = Vec::new();
            let mut start = 0;
            for b in 0..rng.size(0, 3) {
                let shape: Vec<usize> = (0..rng.size(0, 3)).map(|_| rng.size(0, 3)).collect();
                let len = shape.iter().product::<usize>();
                // Now and then, the range does not fit the shape, or the vectors.
                let wrong = if rng.size(0, 20) == 0 { rng.size(0, 3) } else { 0 };
                let name = ["a", "b", "c", "d"][b].to_owned();
                let range = start..start + len + wrong;
                let roundoff = *[1e-16, 0.0, f64::NAN].get(rng.size(0, 20)).unwrap_or(&1e-16);
                blocks.push(Block {
                    full_name: name.clone(),
                    name,
                    shape,
                    complex: false,
                    range,
                    roundoff,
                    jacobian: None,
                });
                start += len;
            }
            let mut numbers = |odds: usize, positive: bool| -> Vec<f64> {
                (0..start)
                    .map(|_| {
                        let x = if rng.size(0, 10) < odds {
                            odd[rng.size(0, odd.len() - 1)]
                        } else {
                            rng.normal()
                        };
                        if positive { x.abs() * 1e-6 } else { x }
                    })
                    .collect()
            };
            let odds = seed as usize % 4 * 3;
            let (primal, analytic, numeric, bound) = (
                numbers(odds, false),
                numbers(odds, false),
                numbers(odds, false),
                numbers(odds, true),
            );
            let verdict = (0..start)
                .map(|_| match rng.size(0, 7) {
                    0..4 => Verdict::Wrong,
                    4..6 => Verdict::Agrees,
                    6 => Verdict::Kink,
                    _ => Verdict::Undecided,
                })
                .collect();
            states.push(Evidence {
                tolerance: vec![odd[rng.size(0, 11)]; blocks.len()],
                blocks: blocks.into(),
                dims: vec![("m".to_owned(), rng.size(0, 3)), ("n".to_owned(), rng.size(0, 9))],
                steps: rng.size(0, 2),
                primal: if rng.size(0, 3) == 0 { Vec::new() } else { primal },
                analytic: analytic.into(),
                numeric: numeric.into(),
                bound: bound.into(),
                verdict,
                directions: Vec::new(),
            });
        }
        let d = diagnose(&states);
        assert!(!d.to_string().contains("\n\n"));
        kinds.extend(d.findings.iter().map(|f| f.kind.label()));
    }
    assert!(kinds.len() > 5, "{kinds:?}");
}

#[test]
fn large_gradients_and_many_blocks() {
    let mut rng = Rng(14);
    let s = State::new(&mut rng, &[], &[("w", &[1000, 300])], &[1.0]);
    let d = diagnose(&measured(&mut rng, &[s], FINE, &|s| {
        s.with("w", |i, g, _| if i == 123_457 { 2.0 * g } else { g })
    }));
    assert!(d.to_string().starts_with("one component of 300000: w[411, 157] (scaled by 2)"), "{d}");
    let names: Vec<&'static str> =
        (0..400).map(|i| &*Box::leak(format!("layers[{i}]").into_boxed_str())).collect();
    let shape: &[usize] = &[3];
    let blocks: Vec<(&'static str, &[usize])> = names.iter().map(|n| (*n, shape)).collect();
    let states: Vec<State> = (0..3).map(|_| State::new(&mut rng, &[], &blocks, &[1.0])).collect();
    let d = diagnose(&measured(&mut rng, &states, FINE, &|s| {
        let mut noise = Rng(s.truth[0].to_bits());
        s.truth.iter().map(|g| g + 0.1 * noise.normal()).collect()
    }));
    assert_eq!(d.findings.len(), 1);
    let text = d.to_string();
    assert!(text.starts_with("no known shape in the whole gradient"), "{text}");
    assert!(text.len() < 400);
}

#[test]
fn components_that_only_probes_have_seen() {
    // Two of sixty have numbers of their own, and are off by the same; the rest agreed along
    // random directions. That is not a constant offset of the whole.
    let mut rng = Rng(15);
    let s = State::new(&mut rng, &[], &[("w", &[60])], &[1.0]);
    let mut e = measured(&mut rng, &[s], FINE, &|s| {
        s.with("w", |i, g, _| if i == 3 || i == 41 { g + 0.01 } else { g })
    })
    .remove(0);
    for verdict in [Verdict::Undecided, Verdict::Agrees] {
        for i in (0..60).filter(|i| *i != 3 && *i != 41) {
            (e.numeric[i], e.bound[i]) = (e.analytic[i], f64::INFINITY);
            e.verdict[i] = verdict;
        }
        let text = diagnose(&[&e]).to_string();
        let words = match verdict {
            Verdict::Agrees => "2 components of 60: w[3], w[41] (off by 0.01 each)",
            _ => "at least 2 components of 60: w[3], w[41] (off by 0.01 each)",
        };
        assert!(text.starts_with(words), "{text}");
    }
}

#[test]
fn a_sample_of_a_large_block_speaks_for_it() {
    let mut rng = Rng(17);
    let s = State::new(&mut rng, &[("m", 7)], &[("w", &[200, 200])], &[1.0]);
    let mut e = measured(&mut rng, &[s], FINE, &|s| scale_by(s, 7.0)).remove(0);
    for i in (0..40_000).filter(|i| i % 100 != 0) {
        (e.numeric[i], e.bound[i]) = (e.analytic[i], f64::INFINITY);
        e.verdict[i] = Verdict::Undecided;
    }
    let text = diagnose(&[&e]).to_string();
    assert!(text.starts_with("scaled by 7 = m in w"), "{text}");
}

#[test]
fn exact_derivatives_show_the_smallest_factors() {
    let mut rng = Rng(16);
    let s = State::new(&mut rng, &[], &[("w", &[20])], &[1.0]);
    let exact = Measure { bound: 1e-15, mess: false };
    let mut e = measured(&mut rng, &[s], exact, &|s| scale_by(s, 1.0 + 1e-9)).remove(0);
    e.tolerance = vec![1e-12];
    e.verdict.fill(Verdict::Wrong);
    let text = diagnose(&[&e]).to_string();
    assert!(text.starts_with("scaled by 1.000000001 in w"), "{text}");
}

#[test]
fn single_precision_parameters() {
    // Gradients in f32 with their own bounds: kinds are told apart, and f32 is no fault.
    for seed in 0..50 {
        let mut rng = Rng(seed);
        let states: Vec<State> = (0..4).map(|_| state(Layout::Net, &mut rng, &[1.0])).collect();
        let mut single = |factor: &dyn Fn(&State) -> f64| {
            let coarse = Measure { bound: 3e-5, mess: false };
            let round = |s: &State| s.all(|g, _| f64::from((factor(s) * g) as f32));
            let mut all = measured(&mut rng, &states, coarse, &round);
            for e in &mut all {
                e.tolerance.fill(1e-4);
                let mut blocks = e.blocks.to_vec();
                blocks.iter_mut().for_each(|b| b.roundoff = f64::from(f32::EPSILON) / 2.0);
                e.blocks = blocks.into();
                for k in 0..e.numeric.len() {
                    let d = (e.analytic[k] - e.numeric[k]).abs();
                    let size = e.analytic[k].abs().max(e.numeric[k].abs());
                    let wrong = d > 1e-4 * size + e.bound[k];
                    e.verdict[k] = if wrong { Verdict::Wrong } else { Verdict::Agrees };
                }
            }
            all.sort_by_key(|e| !fails(e));
            diagnose(&all).to_string()
        };
        assert_eq!(single(&|_| 1.0), "");
        assert!(single(&|_| -1.0).starts_with("sign flipped in the whole gradient"));
        let text = single(&|s| 1.0 + s.dim("m") as f64);
        assert!(text.starts_with("scaled by "), "{text}");
        assert!(single(&|_| 1.001).starts_with("scaled by 1.001 in"));
    }
}

#[test]
fn derivatives_of_zero_and_one_show_no_order() {
    // Where many values are equal, some other place always holds the right one.
    let mut found = 0;
    for seed in 0..400 {
        let mut rng = Rng(seed);
        let s = state(Layout::Steps, &mut rng, &[1.0]);
        let states = measured(&mut rng, &[s], FINE, &|s| {
            s.all(|_, w| f64::from(u8::from((9.0 * w).sin() > 0.0)))
        });
        let d = diagnose(&states);
        for f in &d.findings {
            let how = match &f.kind {
                Kind::Components { how: Some(how) } => how,
                kind => kind,
            };
            let moved = ["shifted by one", "reversed", "in another order", "one slice for all"];
            assert!(!moved.contains(&how.label()), "{d}");
            found += 1;
        }
    }
    assert!(found > 200);
    // A shift of values that differ is still one.
    let mut rng = Rng(1);
    let s = State::new(&mut rng, &[], &[("w", &[5])], &[1.0]);
    let d =
        diagnose(&measured(&mut rng, &[s], FINE, &|s| s.with("w", |i, _, _| s.truth[(i + 4) % 5])));
    assert!(d.to_string().starts_with("shifted by one along axis 0 in w"), "{d}");
}
