//! False certainty: forwards whose values are spoilt in known ways, with gradients that are known
//! to be right or wrong. What is right is not to be accused, what is wrong not to be certified;
//! that neither can be told is always a fair answer.
//!
//! `cargo test -p gradcheck-runtime --release --test certainty -- --ignored --nocapture` prints
//! the table for 100,000 draws.
use std::cell::Cell;

use gradcheck_runtime::evidence::Verdict;
use gradcheck_runtime::{Settings, check_at};

/// A stream of numbers that is the same at every run (splitmix64).
struct Numbers(u64);

fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Uniform in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

impl Numbers {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        unit(mixed(self.0))
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    /// Evenly spread between the powers of ten, with a random sign.
    fn power(&mut self, low: f64, high: f64) -> f64 {
        let size = 10_f64.powf(low + (high - low) * self.unit());
        if self.unit() < 0.5 { size } else { -size }
    }
}

/// `a sin(b x + c) + d x y + e y^2 + k`, in two parameters.
#[derive(Clone, Copy, Debug)]
struct Smooth {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    k: f64,
}

impl Smooth {
    fn drawn(numbers: &mut Numbers) -> Smooth {
        Smooth {
            a: numbers.power(-1.0, 1.0),
            b: numbers.power(-1.0, 0.5),
            c: numbers.unit(),
            d: numbers.power(-1.0, 1.0),
            e: numbers.power(-1.0, 1.0),
            k: if numbers.unit() < 0.5 { 0.0 } else { numbers.power(0.0, 4.0) },
        }
    }

    fn value(&self, w: &[f64]) -> f64 {
        let &Smooth { a, b, c, d, e, k } = self;
        a * (b * w[0] + c).sin() + d * w[0] * w[1] + e * w[1] * w[1] + k
    }

    fn gradient(&self, w: &[f64]) -> Vec<f64> {
        let &Smooth { a, b, c, d, e, .. } = self;
        vec![a * b * (b * w[0] + c).cos() + d * w[1], d * w[0] + 2.0 * e * w[1]]
    }
}

/// What is done to the value of the smooth function.
#[derive(Clone, Copy, Debug)]
enum Spoilt {
    Not,
    /// The value is rounded to single precision.
    Single,
    /// The value is rounded to a multiple of this.
    Quantised(f64),
    /// Noise of this size, the same for the same parameters.
    Noisy(f64),
    /// The last few bits are others at each call.
    Fickle,
    /// Zigzags of this height and period in the first parameter.
    Zigzag {
        height: f64,
        period: f64,
    },
    /// Waves of this height and frequency in the first parameter.
    Waves {
        height: f64,
        frequency: f64,
    },
}

const CLASSES: [&str; 7] = [
    "as it is",
    "rounded to single precision",
    "quantised",
    "noise in the digits",
    "other last bits at each call",
    "dense kinks",
    "fast waves",
];

impl Spoilt {
    fn drawn(class: usize, numbers: &mut Numbers) -> Spoilt {
        match class {
            0 => Spoilt::Not,
            1 => Spoilt::Single,
            2 => Spoilt::Quantised(numbers.power(-14.0, -2.0).abs()),
            3 => Spoilt::Noisy(numbers.power(-16.0, -3.0).abs()),
            4 => Spoilt::Fickle,
            5 => Spoilt::Zigzag {
                height: numbers.power(-12.0, -1.0),
                period: numbers.power(-8.0, 0.0).abs(),
            },
            _ => Spoilt::Waves {
                height: numbers.power(-12.0, 0.0),
                frequency: numbers.power(0.0, 8.0).abs(),
            },
        }
    }

    /// The value, spoilt.
    fn value(self, value: f64, w: &[f64], calls: &Cell<u64>) -> f64 {
        match self {
            Spoilt::Not => value,
            Spoilt::Single => f64::from(value as f32),
            Spoilt::Quantised(unit) => (value / unit).round() * unit,
            Spoilt::Noisy(size) => {
                let bits = mixed(w[0].to_bits() ^ mixed(w[1].to_bits()));
                value + size * (2.0 * unit(bits) - 1.0)
            }
            Spoilt::Fickle => {
                calls.set(calls.get() + 1);
                let ulps = (mixed(calls.get()) % 9) as f64 - 4.0;
                value + ulps * f64::EPSILON * value.abs()
            }
            Spoilt::Zigzag { height, period } => {
                let at = (w[0] / period).rem_euclid(1.0);
                value + height * (4.0 * (at - 0.5).abs() - 1.0)
            }
            Spoilt::Waves { height, frequency } => value + height * (frequency * w[0]).sin(),
        }
    }

    /// Height of the stairs that the value is rounded to.
    fn stair(self, value: f64) -> f64 {
        match self {
            Spoilt::Single => f64::from(f32::EPSILON) * value.abs(),
            Spoilt::Quantised(unit) => unit,
            _ => 0.0,
        }
    }

    /// What the fine structure adds to the first derivative; none at a kink, where there is no
    /// derivative.
    fn slope(self, w: &[f64]) -> Option<f64> {
        match self {
            Spoilt::Zigzag { height, period } => {
                let at = (w[0] / period).rem_euclid(1.0);
                let beside_a_kink = at.min(1.0 - at).min((at - 0.5).abs()) < 1e-3;
                let slope = 4.0 * height / period;
                (!beside_a_kink).then_some(if at < 0.5 { -slope } else { slope })
            }
            Spoilt::Waves { height, frequency } => {
                Some(height * frequency * (frequency * w[0]).cos())
            }
            _ => Some(0.0),
        }
    }
}

impl Spoilt {
    /// Whether the values show the fine structure: over a step so short that the structure is
    /// straight on it (and holds no kink, which `slope` keeps away from) it does far more than the
    /// rounding of the value, and of the parameter.
    fn is_shown(self, value: f64, w: f64) -> bool {
        let (step, slope) = match self {
            Spoilt::Zigzag { height, period } => (1e-3 * period, 4.0 * height / period),
            Spoilt::Waves { height, frequency } => (0.1 / frequency, height * frequency),
            _ => return true,
        };
        (slope * step).abs() > 300.0 * f64::EPSILON * value.abs()
            && step > 300.0 * f64::EPSILON * w.abs()
    }
}

/// A fault in one component, so large that no tolerance hides it.
fn fault(g: f64, numbers: &mut Numbers) -> f64 {
    match numbers.below(4) {
        0 => -g,
        1 => 0.0,
        2 => g * (1.0 + numbers.power(-5.0, 0.0)),
        _ => g * numbers.power(-1.0, 1.0).abs() + numbers.power(-3.0, 1.0),
    }
}

/// |g - t| / (|g| + |t|)
fn difference(g: f64, t: f64) -> f64 {
    (g - t).abs() / (g.abs() + t.abs())
}

/// Verdicts on components, by what they should be.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    agreed: usize,
    kinks: usize,
    undecided: usize,
    wrong: usize,
}

impl Count {
    fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Agrees => &mut self.agreed,
            Verdict::Kink => &mut self.kinks,
            Verdict::Undecided => &mut self.undecided,
            Verdict::Wrong => &mut self.wrong,
        } += 1;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    right: Count,
    faulty: Count,
    /// Right gradients of a fine structure that rounding hides on any step. Counted, not judged:
    /// any difference is the slope of something else.
    unseen: Count,
}

/// One draw: the right gradient, and the same with a fault in one component.
fn draw(class: usize, seed: u64, row: &mut Row, violations: &mut Vec<String>) {
    let mut numbers = Numbers(seed);
    let smooth = Smooth::drawn(&mut numbers);
    let spoilt = Spoilt::drawn(class, &mut numbers);
    let w = vec![numbers.power(-1.0, 1.0), numbers.power(-1.0, 1.0)];
    let mut right = smooth.gradient(&w);
    let Some(slope) = spoilt.slope(&w) else { return };
    let shown = spoilt.is_shown(smooth.value(&w), w[0]);
    right[0] += slope;
    let calls = Cell::new(seed);
    let judged = |gradient: &[f64]| {
        // two blocks: a small component may hide beside a large one of its own block
        let mut parameters = (w[0], w[1]);
        let forward = |&(x, y): &(f64, f64)| {
            let w = [x, y];
            spoilt.value(smooth.value(&w), &w, &calls)
        };
        let gradient = |_: &(f64, f64)| (gradient[0], gradient[1]);
        let report = check_at(&mut parameters, &Settings::default(), forward, gradient);
        assert_eq!(report.failure, None, "{smooth:?} {spoilt:?} at {w:?}");
        report.evidence
    };
    let mut show = |what: &str, gradient: &[f64], i: usize| {
        violations.push(format!(
            "{what}: class {class}, seed {seed}, component {i}: {smooth:?} {spoilt:?} at {w:?}, \
             gradient {gradient:?}, right {right:?}"
        ));
    };
    let evidence = judged(&right);
    for (i, &verdict) in evidence.verdict.iter().enumerate() {
        if i == 0 && !shown {
            row.unseen.add(verdict);
            continue;
        }
        row.right.add(verdict);
        if verdict == Verdict::Wrong {
            show("accused", &right, i);
        }
    }
    let at = if shown { numbers.below(2) } else { 1 };
    let mut faulty = right.clone();
    faulty[at] = fault(right[at], &mut numbers);
    // A staircase is flat: zero is its derivative as far as anyone looks.
    let flat =
        faulty[at] == 0.0 && spoilt.stair(smooth.value(&w)) > 0.02 * (right[at] * w[at]).abs();
    if difference(faulty[at], right[at]) > 2e-6 && !flat {
        let verdict = judged(&faulty).verdict[at];
        row.faulty.add(verdict);
        if matches!(verdict, Verdict::Agrees | Verdict::Kink) {
            show("certified", &faulty, at);
        }
    }
}

/// `number` draws over all classes.
fn table(number: usize) -> ([Row; CLASSES.len()], Vec<String>) {
    let mut rows = [Row::default(); CLASSES.len()];
    let mut violations = Vec::new();
    for seed in 0..number {
        let class = seed % CLASSES.len();
        draw(class, seed as u64, &mut rows[class], &mut violations);
    }
    (rows, violations)
}

/// What is wrong and lies between two slopes may be taken for a kink where the slope changes
/// within a few steps; this is how often.
const TAKEN_FOR_KINKS: usize = 3;

#[test]
fn some_thousand_draws() {
    let (rows, violations) = table(4_200);
    let violations = violations.join("\n");
    for (class, row) in CLASSES.iter().zip(rows) {
        assert_eq!(row.right.wrong, 0, "accused, {class}:\n{violations}");
        assert_eq!(row.faulty.agreed, 0, "certified, {class}:\n{violations}");
        // The table says something.
        assert!(row.right.agreed > 0 && row.faulty.wrong > 400, "{class}: {row:?}");
    }
    let kinks: usize = rows.iter().map(|row| row.faulty.kinks).sum();
    assert!(kinks <= TAKEN_FOR_KINKS, "{kinks} taken for kinks:\n{violations}");
}

#[test]
#[ignore = "run it with --release"]
fn a_hundred_thousand_draws() {
    let (rows, violations) = table(100_000);
    println!(
        "{:30} {:>28}   {:>28}   {:>28}",
        "components: agree/kink/open/wrong", "right", "faulty", "unseen"
    );
    for (class, row) in CLASSES.iter().zip(rows) {
        let [right, faulty, unseen] = [row.right, row.faulty, row.unseen]
            .map(|c| format!("{:>6} {:>6} {:>6} {:>6}", c.agreed, c.kinks, c.undecided, c.wrong));
        println!("{class:33} {right}   {faulty}   {unseen}");
    }
    for violation in &violations {
        println!("{violation}");
    }
}
