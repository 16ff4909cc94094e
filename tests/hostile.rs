//! User code that misbehaves: it panics, keeps state, spawns threads, prints without end, or hands
//! out numbers and shapes at the edge of what there is.
//!
//! Each has a clear outcome. Nothing hangs, nothing wrong passes, and what is right but awkward is
//! not accused. Functions that must fail are ignored; [`must_fail`] at the end runs them in
//! processes of their own and reads what they print.
use std::collections::HashMap;

use gradcheck_runtime::gradcheck;
use gradcheck_runtime::proptest::strategy::{Just, Strategy};
use gradcheck_runtime::strategy::normal;
use ndarray::{Array1, Array2};

mod support;

/// The forward panics.
mod panics {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn squares(w: &Array1<f64>) -> f64 {
        w.dot(w)
    }

    static CALLS: AtomicUsize = AtomicUsize::new(0);

    /// The value is never wrong; the third call of the process does not give one.
    #[gradcheck(
        w in normal(3),
        forward = {
            assert!(CALLS.fetch_add(1, Ordering::SeqCst) + 1 != 3, "the third call");
            squares(&w)
        },
        ignore = "wrong on purpose",
    )]
    fn at_the_third_call(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// What a panic may carry in place of a message.
    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("the payload is dropped")
        }
    }

    /// Whoever catches this panic, and lets go of what it carries, panics.
    #[gradcheck(
        w in normal(3),
        forward = |w: &Array1<f64>| -> f64 {
            if w.is_empty() { 0.0 } else { std::panic::panic_any(Payload) }
        },
        ignore = "wrong on purpose",
    )]
    fn with_a_payload(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// Positive numbers, the first so small that a step to the left of it leaves the domain.
    fn beside_zero() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|w: Array1<f64>| {
            let mut w = w.mapv(|w| 0.5 + w.abs());
            w[0] *= 1e-12;
            w
        })
    }

    /// Defined for positive `w` alone.
    fn on_positive(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        assert!(w.iter().all(|&w| w > 0.0), "w must be positive");
        k.iter().zip(w).map(|(k, w)| k * (w + w * w)).sum()
    }

    /// Right, and smooth on the side where there is a value.
    #[gradcheck(w in beside_zero(), k in uniform(3, 1.0..2.0), forward = on_positive)]
    fn beside_the_edge(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        k * (1.0 + 2.0 * w)
    }

    #[gradcheck(
        w in beside_zero(),
        k in uniform(3, 1.0..2.0),
        forward = on_positive,
        ignore = "wrong on purpose",
    )]
    fn beside_the_edge_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        k * (1.0 + 3.0 * w)
    }

    /// There is a value at the state alone, so that no gradient could be wrong.
    #[gradcheck(
        w in Just(Array1::from(vec![0.25, 0.5])),
        forward = |w: &Array1<f64>| {
            assert!(w[0] == 0.25 && w[1] == 0.5, "nowhere else");
            squares(w)
        },
        ignore = "wrong on purpose",
    )]
    fn everywhere_else(w: &Array1<f64>) -> Array1<f64> {
        -7.0 * w
    }
}

/// The forward's value depends on what is none of its arguments.
mod globals {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CALLS: AtomicU64 = AtomicU64::new(0);

    /// Another value at each call.
    fn counted(w: &Array1<f64>) -> f64 {
        w.dot(w) + 0.125 * CALLS.fetch_add(1, Ordering::SeqCst) as f64
    }

    #[gradcheck(w in normal(3), forward = counted, ignore = "wrong on purpose")]
    fn at_each_call(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    static GROWN: Mutex<Vec<f64>> = Mutex::new(Vec::new());

    /// A longer output at each call.
    fn collected(w: &Array1<f64>) -> Vec<f64> {
        let mut grown = GROWN.lock().unwrap();
        grown.push(w.dot(w));
        grown.clone()
    }

    #[gradcheck(w in normal(3), forward = collected, cotangent = dy, ignore = "wrong on purpose")]
    fn an_output_that_grows(w: &Array1<f64>, dy: Vec<f64>) -> Array1<f64> {
        2.0 * w * dy.iter().sum::<f64>()
    }

    /// A longer gradient at each call.
    #[gradcheck(w in normal(3), forward = |w: &Array1<f64>| w.dot(w), ignore = "wrong on purpose")]
    fn a_gradient_that_grows(w: &Array1<f64>) -> Vec<f64> {
        collected(w)
    }

    /// More memory at each call, which nothing shows.
    #[gradcheck(w in normal(3), forward = { collected(&w); w.dot(&w) }, cases = 4)]
    fn memory_that_grows(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// More memory than there is.
    #[gradcheck(
        w in normal(3),
        forward = |w: &Array1<f64>| Vec::<f64>::with_capacity(usize::MAX - w.len()).len() as f64,
        ignore = "wrong on purpose",
    )]
    fn too_much_memory(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    static KNOWN: Mutex<Vec<(Vec<u64>, f64)>> = Mutex::new(Vec::new());

    /// A global that remembers values and changes none.
    fn remembered(w: &Array1<f64>) -> f64 {
        let key: Vec<u64> = w.iter().map(|w| w.to_bits()).collect();
        let mut known = KNOWN.lock().unwrap();
        if let Some((_, value)) = known.iter().find(|(k, _)| *k == key) {
            return *value;
        }
        known.truncate(7);
        known.insert(0, (key, w.dot(w)));
        w.dot(w)
    }

    #[gradcheck(w in normal(3), forward = remembered)]
    fn a_cache(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// Caches inside the parameters' own struct, which their change does not clear.
mod caches {
    use super::*;
    use std::cell::Cell;

    /// Weights that are divided by their norm.
    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Normed {
        w: Array1<f64>,
        /// The weights that the norm was made for, if any must be told from others, and the norm.
        #[flatten(skip)]
        norm: Cell<Option<f64>>,
    }

    impl Normed {
        fn norm(&self, keeps: bool) -> f64 {
            let norm =
                self.norm.get().filter(|_| keeps).unwrap_or_else(|| self.w.dot(&self.w).sqrt());
            self.norm.set(Some(norm));
            norm
        }
        fn forward(&self, x: &Array1<f64>, keeps: bool) -> f64 {
            self.w.dot(x) / self.norm(keeps)
        }
    }

    fn normed() -> impl Strategy<Value = Normed> {
        normal(3).prop_map(|w| Normed { w, norm: Cell::new(None) })
    }

    /// The norm is taken for a constant, and no difference of this forward shows that it is none.
    #[gradcheck(p in normed(), x in normal(3), forward = p.forward(&x, true), ignore = "wrong on purpose")]
    fn kept(p: &Normed, x: &Array1<f64>) -> Array1<f64> {
        x / p.norm(true)
    }

    #[gradcheck(p in normed(), x in normal(3), forward = p.forward(&x, false))]
    fn made_anew(p: &Normed, x: &Array1<f64>) -> Array1<f64> {
        let norm = p.norm(false);
        x / norm - &p.w * (p.w.dot(x) / norm.powi(3))
    }

    #[gradcheck(p in normed(), x in normal(3), forward = p.forward(&x, false), ignore = "wrong on purpose")]
    fn made_anew_wrong(p: &Normed, x: &Array1<f64>) -> Array1<f64> {
        x / p.norm(false)
    }
}

/// Calls that never come back, or not in time.
mod endless {
    use super::*;
    use std::time::Duration;

    fn squares(w: &Array1<f64>) -> f64 {
        w.dot(w)
    }

    fn never() -> ! {
        loop {
            std::thread::park();
        }
    }

    fn hangs_above_one(w: &Array1<f64>) -> f64 {
        if w[0] > 1.0 { never() } else { squares(w) }
    }

    /// Never comes back from some states.
    #[gradcheck(
        dims(n in 2..=3),
        w in normal(n),
        forward = hangs_above_one,
        timeout = Duration::from_millis(500),
        ignore = "wrong on purpose",
    )]
    fn forward(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    #[gradcheck(
        w in normal(3),
        forward = squares,
        timeout = Duration::from_millis(200),
        ignore = "wrong on purpose",
    )]
    fn gradient(w: &Array1<f64>) -> Array1<f64> {
        if w.is_empty() { 2.0 * w } else { never() }
    }

    #[gradcheck(
        w in normal(3).prop_map(|w: Array1<f64>| if w.is_empty() { w } else { never() }),
        forward = squares,
        timeout = Duration::from_millis(200),
        ignore = "wrong on purpose",
    )]
    fn draw(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    #[gradcheck(
        w in normal(3),
        forward = squares,
        train(steps = 3, update = |w: &mut Array1<f64>, _: &Array1<f64>| if w.len() == 3 { never() }),
        timeout = Duration::from_millis(200),
        ignore = "wrong on purpose",
    )]
    fn update(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// A lock that its holder asks for again.
    #[gradcheck(
        w in normal(3),
        forward = {
            let lock = std::sync::Mutex::new(());
            let _held = lock.lock();
            // What asking again comes to is left open: it may also panic.
            if lock.try_lock().is_err() { never() }
            squares(&w)
        },
        timeout = Duration::from_millis(200),
        ignore = "wrong on purpose",
    )]
    fn deadlock(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    fn slow(w: &Array1<f64>) -> f64 {
        std::thread::sleep(Duration::from_millis(2));
        squares(w)
    }

    /// Comes back each time, and not often enough.
    #[gradcheck(
        w in normal(3),
        forward = slow,
        cases = 2000,
        timeout = Duration::from_millis(1500),
        ignore = "wrong on purpose",
    )]
    fn not_in_time(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// As slow, and allowed to.
    #[gradcheck(w in normal(3), forward = slow, cases = 2, timeout = Duration::from_secs(300))]
    fn in_time(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// A limit that the environment has to lift.
    #[gradcheck(
        w in normal(3),
        forward = slow,
        cases = 2,
        timeout = Duration::from_millis(1),
        ignore = "on purpose",
    )]
    fn lifted(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// Wrong, and a call made for a smaller case never comes back.
    #[gradcheck(
        w in uniform(3, 1.0..2.0),
        forward = {
            // values that only a simpler case has
            if (w[1] * 100.0).round() / 100.0 == w[1] { never() } else { squares(&w) }
        },
        timeout = Duration::from_millis(1000),
        cases = 1,
        ignore = "wrong on purpose",
    )]
    fn wrong_first(w: &Array1<f64>) -> Array1<f64> {
        3.0 * w
    }

    /// A recursion that needs more stack than a thread has by default.
    fn deep(w: &Array1<f64>, left: usize) -> f64 {
        let room = std::hint::black_box([left as u8; 4096]);
        if left == 0 { squares(w) + f64::from(room[0]) } else { deep(w, left - 1) }
    }

    #[gradcheck(w in normal(20), forward = deep(&w, 1000))]
    fn recursion(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// Types that borrow: a check may outlive the test that asks for it.
mod borrowed {
    use super::*;

    static FACTORS: [f64; 3] = [1.0, -2.0, 3.0];

    #[derive(Debug)]
    struct Weighted<'a> {
        factors: &'a [f64],
    }

    #[gradcheck]
    impl<'a> Weighted<'a> {
        fn of(factors: &'a [f64]) -> Self {
            Weighted { factors }
        }

        fn forward(&self, w: &[f64]) -> f64 {
            w.iter().zip(self.factors).map(|(w, k)| k * w * w).sum()
        }

        #[gradcheck(self in Just(()).prop_map(|_| Self::of(&FACTORS)), w in vec(3), wrt = w, forward = Self::forward)]
        fn backward(&self, w: &[f64]) -> Vec<f64> {
            w.iter().zip(self.factors).map(|(w, k)| 2.0 * k * w).collect()
        }
    }

    trait Layer {
        fn call(&self, w: &[f64]) -> Vec<f64>;
    }

    #[gradcheck]
    impl Layer for Weighted<'_> {
        #[gradcheck(
            self in Just(()).prop_map(|_| Self { factors: &FACTORS }),
            w in vec(3),
            wrt = w,
            forward = self.forward(&w),
            ignore = "wrong on purpose",
        )]
        fn call(&self, w: &[f64]) -> Vec<f64> {
            w.iter().zip(self.factors).map(|(w, k)| 3.0 * k * w).collect()
        }
    }
}

/// The forward shares its work among threads.
mod threads {
    use super::*;

    fn parallel(w: &[f64], k: &[f64]) -> f64 {
        std::thread::scope(|scope| {
            let parts: Vec<_> = w
                .chunks(2)
                .zip(k.chunks(2))
                .map(|(w, k)| {
                    scope.spawn(move || w.iter().zip(k).map(|(w, k)| k * w.sin()).sum::<f64>())
                })
                .collect();
            parts.into_iter().map(|part| part.join().expect("no part panics")).sum()
        })
    }

    #[gradcheck(dims(n in 3..=4), w in vec(n), k in vec(n), forward = parallel, cases = 8)]
    fn together(w: &[f64], k: &[f64]) -> Vec<f64> {
        w.iter().zip(k).map(|(w, k)| k * w.cos()).collect()
    }

    #[gradcheck(
        dims(n in 3..=4),
        w in vec(n),
        k in vec(n),
        forward = parallel,
        cases = 8,
        ignore = "wrong on purpose",
    )]
    fn forgets_a_part(w: &[f64], k: &[f64]) -> Vec<f64> {
        let right = w.iter().zip(k).map(|(w, k)| k * w.cos());
        right.enumerate().map(|(i, g)| if i < 2 { g } else { 0.0 }).collect()
    }
}

/// Threads that the forward starts panic.
mod threads_that_panic {
    use super::*;

    fn apart(w: &Array1<f64>) -> f64 {
        let w = w.clone();
        let part = std::thread::spawn(move || {
            assert!(w[0] <= 1.0, "a thread's own words");
            w.dot(&w)
        });
        // what a careful caller does
        part.join().unwrap_or(f64::NAN)
    }

    /// Panics at every third state.
    #[gradcheck(w in normal(3), forward = apart, ignore = "wrong on purpose")]
    fn joined(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// Panics beside the state only, where the value is not needed.
    #[gradcheck(
        w in Just(Array1::from(vec![1.0, 0.5])),
        forward = apart,
        cases = 4,
        ignore = "run for what it prints",
    )]
    fn beside(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// Nobody waits for these.
    #[gradcheck(
        w in normal(3),
        forward = {
            let _ = std::thread::spawn(|| panic!("nobody waits")).join();
            w.dot(&w)
        },
        cases = 4,
        ignore = "run for what it prints",
    )]
    fn aside(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// A panic while a global lock is held, at a perturbed point.
mod locks {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    /// One on the edge of the domain, the others well inside.
    fn at_the_edge() -> impl Strategy<Value = Array1<f64>> {
        normal(2).prop_map(|w: Array1<f64>| Array1::from(vec![1e-12, w[0], w[1]]))
    }

    fn checked(w: &Array1<f64>) -> f64 {
        assert!(w[0] > 0.0, "w[0] must be positive");
        w.dot(w) + w.sum()
    }

    static POISONED: Mutex<()> = Mutex::new(());

    #[gradcheck(
        w in at_the_edge(),
        forward = {
            let _held = POISONED.lock().unwrap();
            checked(&w)
        },
        ignore = "wrong on purpose",
    )]
    fn unwraps(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w + 1.0
    }

    static FORGIVEN: Mutex<()> = Mutex::new(());

    #[gradcheck(
        w in at_the_edge(),
        forward = {
            let _held = FORGIVEN.lock().unwrap_or_else(PoisonError::into_inner);
            checked(&w)
        },
    )]
    fn forgives(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w + 1.0
    }
}

/// Values whose `Drop` panics.
mod drops {
    use super::*;

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Bomb {
        w: Array1<f64>,
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(self.w.is_empty() || std::thread::panicking(), "dropped with a bang");
        }
    }

    /// The gradient panics when the check has read it.
    #[gradcheck(
        w in normal(2),
        forward = |w: &Array1<f64>| w.dot(w),
        ignore = "wrong on purpose",
    )]
    fn of_the_gradient(w: &Array1<f64>) -> Bomb {
        Bomb { w: 2.0 * w }
    }

    /// What is drawn panics when the state is let go of.
    #[gradcheck(
        bomb in normal(2).prop_map(|w| Bomb { w }),
        wrt = bomb.w,
        forward = |bomb: &Bomb| bomb.w.dot(&bomb.w),
        ignore = "wrong on purpose",
    )]
    fn of_the_state(bomb: &Bomb) -> Array1<f64> {
        2.0 * &bomb.w
    }

    /// A local of the forward panics at its end.
    #[gradcheck(
        w in normal(2),
        forward = |w: &Array1<f64>| {
            let bomb = Bomb { w: w.clone() };
            bomb.w.dot(&bomb.w)
        },
        ignore = "wrong on purpose",
    )]
    fn of_a_local(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }
}

/// Values whose `Debug` cannot be shown as it is.
mod shows {
    use super::*;
    use std::fmt;

    #[derive(Clone, gradcheck_runtime::Flatten)]
    struct Loud {
        w: Array1<f64>,
    }

    impl fmt::Debug for Loud {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for _ in 0..100_000 {
                // Also one that does not notice that nobody listens any more.
                let _ = writeln!(f, "LOUD {} LOUD {:?}", "loud ".repeat(8), self.w);
            }
            Ok(())
        }
    }

    #[gradcheck(
        loud in normal(2).prop_map(|w| Loud { w }),
        forward = |loud: &Loud| loud.w.dot(&loud.w),
    )]
    fn megabytes(loud: &Loud) -> Loud {
        Loud { w: 2.0 * &loud.w }
    }

    #[gradcheck(
        loud in normal(2).prop_map(|w| Loud { w }),
        forward = |loud: &Loud| loud.w.dot(&loud.w),
        ignore = "wrong on purpose",
    )]
    fn megabytes_wrong(loud: &Loud) -> Loud {
        Loud { w: 3.0 * &loud.w }
    }

    #[derive(Clone, gradcheck_runtime::Flatten)]
    struct Shy {
        w: Array1<f64>,
    }

    impl fmt::Debug for Shy {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("not to be shown")
        }
    }

    #[gradcheck(
        shy in normal(2).prop_map(|w| Shy { w }),
        forward = |shy: &Shy| shy.w.dot(&shy.w),
    )]
    fn panics(shy: &Shy) -> Shy {
        Shy { w: 2.0 * &shy.w }
    }

    #[gradcheck(
        shy in normal(2).prop_map(|w| Shy { w }),
        forward = |shy: &Shy| shy.w.dot(&shy.w),
        ignore = "wrong on purpose",
    )]
    fn panics_wrong(shy: &Shy) -> Shy {
        Shy { w: 3.0 * &shy.w }
    }
}

/// No parameter, one, and ten million.
mod lengths {
    use super::*;

    fn weighted(w: &[f64], k: &[f64]) -> f64 {
        w.iter().zip(k).map(|(w, k)| k * w * w).sum()
    }

    #[gradcheck(w in vec(0), k in vec(0), forward = weighted, ignore = "wrong on purpose")]
    fn none(w: &[f64], k: &[f64]) -> Vec<f64> {
        w.iter().zip(k).map(|(w, k)| 2.0 * k * w).collect()
    }

    #[gradcheck(w in vec(1), k in vec(1), forward = weighted)]
    fn one(w: &[f64], k: &[f64]) -> Vec<f64> {
        w.iter().zip(k).map(|(w, k)| 2.0 * k * w).collect()
    }

    #[gradcheck(w in vec(1), k in vec(1), forward = weighted, ignore = "wrong on purpose")]
    fn one_wrong(w: &[f64], k: &[f64]) -> Vec<f64> {
        w.iter().zip(k).map(|(w, k)| k * w).collect()
    }

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Beside {
        none: Vec<f64>,
        some: Array1<f64>,
    }

    /// A block without scalars beside one that is wrong.
    #[gradcheck(
        p in normal(2).prop_map(|some| Beside { none: Vec::new(), some }),
        forward = |p: &Beside| p.some.dot(&p.some),
        ignore = "wrong on purpose",
    )]
    fn none_beside_wrong(p: &Beside) -> Beside {
        Beside { none: Vec::new(), some: 4.0 * &p.some }
    }

    const MANY: usize = 1_000_000;

    /// As many parameters as fit the time, drawn in no time.
    fn many() -> impl Strategy<Value = Vec<f64>> {
        (0.5..1.5).prop_map(|scale| (0..MANY).map(|i| scale * (0.1 + (i % 97) as f64)).collect())
    }

    fn mean_of_squares(w: &[f64]) -> f64 {
        w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64
    }

    #[gradcheck(w in many(), forward = mean_of_squares, cases = 1, method = Method::Auto)]
    fn a_million(w: &[f64]) -> Vec<f64> {
        w.iter().map(|w| 2.0 * w / MANY as f64).collect()
    }

    #[gradcheck(
        w in many(),
        forward = mean_of_squares,
        cases = 1,
        method = Method::Auto,
        ignore = "wrong on purpose",
    )]
    fn one_in_a_million(w: &[f64]) -> Vec<f64> {
        let mut g = a_million(w);
        g[123_456] *= -1000.0;
        g
    }

    /// Ten times as many, without the drawing and the shrinking of a generated test.
    #[test]
    #[ignore = "some thirteen seconds without optimisation, and a gigabyte"]
    fn ten_million_parameters() {
        use gradcheck_runtime::{Settings, check_at};

        const ODD_ONE: usize = 7_654_321;
        let mut w: Vec<f64> = (0..10 * MANY).map(|i| 0.1 + (i % 97) as f64).collect();
        // Piece by piece: of one long sum rounding leaves too few digits to agree with.
        let piece = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>();
        let sum_of_squares = |w: &Vec<f64>| w.chunks(1000).map(piece).sum::<f64>();
        let gradient = |w: &Vec<f64>| w.iter().map(|w| 2.0 * w).collect::<Vec<f64>>();
        let right = check_at(&mut w, &Settings::new(), sum_of_squares, gradient);
        assert!(!right.is_wrong() && !right.evidence.directions.is_empty(), "{right}");
        // All but those measured by themselves, each of them too little beside the sum.
        assert!(right.counts().agreed >= w.len() - 2, "{right}");
        let one_wrong = |w: &Vec<f64>| {
            let mut g = gradient(w);
            g[ODD_ONE] *= -1000.0;
            g
        };
        let wrong = check_at(&mut w, &Settings::new(), sum_of_squares, one_wrong);
        assert!(wrong.is_wrong());
        let named =
            |i: &usize| wrong.evidence.verdict[*i] == gradcheck_runtime::evidence::Verdict::Wrong;
        assert_eq!((0..w.len()).filter(named).collect::<Vec<_>>(), [ODD_ONE]);
    }
}

/// Numbers at the edge of what an `f64` holds.
mod numbers {
    use super::*;

    fn sines(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        (w.mapv(f64::sin) * k).sum()
    }

    /// Denormals and both zeros among ordinary numbers.
    fn tiny_among_ordinary() -> impl Strategy<Value = Array1<f64>> {
        normal(5).prop_map(|mut w: Array1<f64>| {
            w[1] = 5e-324;
            w[2] *= 1e-310;
            w[3] = -0.0;
            w[4] = 0.0;
            w
        })
    }

    #[gradcheck(w in tiny_among_ordinary(), k in uniform(5, 1.0..2.0), forward = sines)]
    fn denormals(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        w.mapv(f64::cos) * k
    }

    /// Wrong where the parameter is a negative zero.
    #[gradcheck(
        w in tiny_among_ordinary(),
        k in uniform(5, 1.0..2.0),
        forward = sines,
        ignore = "wrong on purpose",
    )]
    fn denormals_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        let mut g = w.mapv(f64::cos) * k;
        g[3] = -g[3];
        g
    }

    fn linear(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        w.dot(k)
    }

    /// Nothing but denormals: the smallest step there is may be the whole parameter.
    fn all_tiny() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|w: Array1<f64>| w * 1e-310)
    }

    #[gradcheck(
        w in all_tiny(),
        k in uniform(3, 1.0..2.0),
        forward = linear,
        ignore = "wrong on purpose",
    )]
    fn all_denormal_wrong(_w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        3.0 * k
    }

    fn all_large() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|w: Array1<f64>| w * 1e100)
    }

    #[gradcheck(w in all_large(), k in uniform(3, 1.0..2.0), forward = linear)]
    fn large(_w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        k.clone()
    }

    #[gradcheck(
        w in all_large(),
        k in uniform(3, 1.0..2.0),
        forward = linear,
        ignore = "wrong on purpose",
    )]
    fn large_wrong(_w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        1.5 * k
    }

    fn all_huge() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|w: Array1<f64>| w * 1e300)
    }

    fn scaled_down(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        (w * 1e-300).dot(k)
    }

    /// A gradient whose squares are all zero.
    #[gradcheck(w in all_huge(), k in uniform(3, 1.0..2.0), forward = scaled_down)]
    fn huge_and_flat(_w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        k * 1e-300
    }

    #[gradcheck(
        w in all_huge(),
        k in uniform(3, 1.0..2.0),
        forward = scaled_down,
        ignore = "wrong on purpose",
    )]
    fn huge_and_flat_wrong(_w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        k * -1e-300
    }

    fn waves(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        1e-200 * sines(w, k)
    }

    /// A value so small that the square of it is zero.
    #[gradcheck(w in normal(3), k in uniform(3, 1.0..2.0), forward = waves)]
    fn tiny(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        w.mapv(f64::cos) * k * 1e-200
    }

    #[gradcheck(
        w in normal(3),
        k in uniform(3, 1.0..2.0),
        forward = waves,
        ignore = "wrong on purpose",
    )]
    fn tiny_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        1.5e-200 * w.mapv(f64::cos) * k
    }

    /// The square of what is drawn is no number any more.
    #[gradcheck(
        w in all_huge(),
        forward = |w: &Array1<f64>| w.dot(w),
        ignore = "wrong on purpose",
    )]
    fn overflows(w: &Array1<f64>) -> Array1<f64> {
        2.0 * w
    }

    /// The first of the order of a million, the others ordinary, in one array.
    fn of_two_sizes() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|mut w: Array1<f64>| {
            w[0] = 1e6 * (1.5 + w[0].sin());
            w
        })
    }

    fn one_scaled_down(w: &Array1<f64>, k: &Array1<f64>) -> f64 {
        k[0] * (w[0] * 1e-6) + k[1] * w[1].sin() + k[2] * w[2].sin()
    }

    #[gradcheck(w in of_two_sizes(), k in uniform(3, 1.0..2.0), forward = one_scaled_down)]
    fn large_beside_ordinary(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        Array1::from(vec![k[0] * 1e-6, k[1] * w[1].cos(), k[2] * w[2].cos()])
    }

    #[gradcheck(
        w in of_two_sizes(),
        k in uniform(3, 1.0..2.0),
        forward = one_scaled_down,
        ignore = "wrong on purpose",
    )]
    fn large_beside_ordinary_wrong(w: &Array1<f64>, k: &Array1<f64>) -> Array1<f64> {
        Array1::from(vec![k[0] * 1e-6, k[1] * w[1].cos(), k[2] * w[2].sin()])
    }

    fn with_an_infinity() -> impl Strategy<Value = Array1<f64>> {
        normal(3).prop_map(|mut x: Array1<f64>| {
            x[0] = f64::INFINITY;
            x
        })
    }

    fn discounted(w: &Array1<f64>, x: &Array1<f64>) -> f64 {
        w.iter().zip(x).map(|(w, x)| w * (-x).exp()).sum()
    }

    /// An input may be infinite where the forward has a value for it.
    #[gradcheck(w in normal(3), x in with_an_infinity(), forward = discounted)]
    fn infinite_input(_w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
        x.mapv(|x| (-x).exp())
    }

    #[gradcheck(
        w in normal(3),
        x in with_an_infinity(),
        forward = discounted,
        ignore = "wrong on purpose",
    )]
    fn infinite_input_wrong(_w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
        x.mapv(|x| if x.is_infinite() { 1.0 } else { (-x).exp() })
    }

    #[gradcheck(
        w in normal(3),
        x in with_an_infinity(),
        forward = |w: &Array1<f64>, x: &Array1<f64>| w.dot(x),
        ignore = "wrong on purpose",
    )]
    fn infinite_value(_w: &Array1<f64>, x: &Array1<f64>) -> Array1<f64> {
        x.clone()
    }

    #[gradcheck(
        x in with_an_infinity(),
        w in normal(3),
        forward = |x: &Array1<f64>, w: &Array1<f64>| discounted(w, x),
        ignore = "wrong on purpose",
    )]
    fn infinite_parameter(x: &Array1<f64>, w: &Array1<f64>) -> Array1<f64> {
        w * &x.mapv(|x| -(-x).exp())
    }
}

/// Two hundred levels, one inside the other.
mod nesting {
    use super::*;
    use gradcheck_runtime::strategy::vec;

    #[derive(Clone, Debug, gradcheck_runtime::Flatten)]
    struct Nest {
        w: f64,
        inner: Option<Box<Nest>>,
    }

    const LEVELS: usize = 200;

    fn built(values: &[f64]) -> Nest {
        let (&first, rest) = values.split_first().expect("a level");
        let mut nest = Nest { w: first, inner: None };
        for &w in rest {
            nest = Nest { w, inner: Some(Box::new(nest)) };
        }
        nest
    }

    fn nested() -> impl Strategy<Value = Nest> {
        vec(LEVELS).prop_map(|values| built(&values))
    }

    /// The levels' own parameters, outermost first.
    fn levels(nest: &Nest) -> impl Iterator<Item = f64> + '_ {
        std::iter::successors(Some(nest), |nest| nest.inner.as_deref()).map(|nest| nest.w)
    }

    fn sum_of_squares(nest: &Nest) -> f64 {
        levels(nest).map(|w| w * w).sum()
    }

    /// The derivative by each level, the innermost multiplied by `factor`.
    fn derivative(nest: &Nest, factor: f64) -> Nest {
        let mut values: Vec<f64> = levels(nest).map(|w| 2.0 * w).collect();
        values.reverse();
        values[0] *= factor;
        built(&values)
    }

    #[gradcheck(nest in nested(), forward = sum_of_squares, cases = 8)]
    fn deep(nest: &Nest) -> Nest {
        derivative(nest, 1.0)
    }

    #[gradcheck(nest in nested(), forward = sum_of_squares, cases = 8, ignore = "wrong on purpose")]
    fn deep_wrong(nest: &Nest) -> Nest {
        derivative(nest, 2.0)
    }

    /// One level less than the parameters have.
    #[gradcheck(nest in nested(), forward = sum_of_squares, cases = 8, ignore = "wrong on purpose")]
    fn not_as_deep(nest: &Nest) -> Nest {
        let mut values: Vec<f64> = levels(nest).map(|w| 2.0 * w).collect();
        values.reverse();
        built(&values[1..])
    }
}

/// A thousand blocks.
mod dictionary {
    use super::*;

    type Many = HashMap<String, f64>;

    fn many() -> impl Strategy<Value = Many> {
        normal(1000).prop_map(|values: Array1<f64>| {
            values.iter().enumerate().map(|(i, &w)| (format!("w{i}"), w)).collect()
        })
    }

    fn sum_of_squares(p: &Many) -> f64 {
        p.values().map(|w| w * w).sum()
    }

    #[gradcheck(p in many(), forward = sum_of_squares, cases = 4)]
    fn a_thousand_keys(p: &Many) -> Many {
        p.iter().map(|(name, w)| (name.clone(), 2.0 * w)).collect()
    }

    #[gradcheck(p in many(), forward = sum_of_squares, cases = 1, ignore = "wrong on purpose")]
    fn all_wrong(p: &Many) -> Many {
        p.iter().map(|(name, w)| (name.clone(), -2.0 * w)).collect()
    }

    #[gradcheck(p in many(), forward = sum_of_squares, cases = 1, ignore = "wrong on purpose")]
    fn one_wrong(p: &Many) -> Many {
        let factor = |name: &str| if name == "w617" { 4.0 } else { 2.0 };
        p.iter().map(|(name, w)| (name.clone(), factor(name) * w)).collect()
    }

    #[gradcheck(p in many(), forward = sum_of_squares, cases = 4, ignore = "wrong on purpose")]
    fn nothing_there(_p: &Many) -> Many {
        Many::new()
    }
}

/// Gradients that are not the same thing at each call, or in each state.
mod fickle {
    use super::*;
    use std::cell::Cell;

    fn squares(w: &Array1<f64>) -> f64 {
        w.dot(w)
    }

    /// Not a number in one entry, in the states where the first parameter is above one.
    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn sometimes_not_a_number(w: &Array1<f64>) -> Array1<f64> {
        let mut g = 2.0 * w;
        if w[0] > 1.0 {
            g[1] = f64::NAN;
        }
        g
    }

    /// A quotient that is not a number in some states, and not used there.
    #[gradcheck(w in normal(3), forward = squares)]
    fn not_a_number_unused(w: &Array1<f64>) -> Array1<f64> {
        let spoiled = if w[0] > 1.0 { f64::NAN } else { 1.0 };
        w.mapv(|w| if spoiled.is_nan() { 2.0 * w } else { 2.0 * w * spoiled })
    }

    // A state is examined by one thread.
    thread_local!(static CALLS: Cell<usize> = const { Cell::new(0) });

    /// One component less at every other call.
    #[gradcheck(w in normal(3), forward = squares, ignore = "wrong on purpose")]
    fn loses_a_component(w: &Array1<f64>) -> Array1<f64> {
        let call = CALLS.replace(CALLS.get() + 1);
        let kept = if call.is_multiple_of(2) { 3 } else { 2 };
        (2.0 * w).iter().take(kept).copied().collect()
    }
}

/// Arrays whose memory is not in the order of their indices.
mod layouts {
    use super::*;
    use ndarray::{Axis, ShapeBuilder, Slice};

    /// Column by column.
    fn fortran() -> impl Strategy<Value = Array2<f64>> {
        normal([2, 3]).prop_map(|w: Array2<f64>| {
            let mut turned = Array2::zeros((2, 3).f());
            turned.assign(&w);
            assert!(!turned.is_standard_layout());
            turned
        })
    }

    /// Every other column of a larger array, from right to left, in the larger one's memory.
    fn sliced() -> impl Strategy<Value = Array2<f64>> {
        normal([3, 6]).prop_map(|w: Array2<f64>| {
            let mut part = w;
            part.slice_axis_inplace(Axis(0), Slice::from(1..));
            part.slice_axis_inplace(Axis(1), Slice::from(..).step_by(-2));
            assert!(part.dim() == (2, 3) && part.as_slice_memory_order().is_none());
            part
        })
    }

    fn weighted(w: &Array2<f64>, k: &Array2<f64>) -> f64 {
        (w.mapv(f64::sin) * k).sum()
    }

    fn derivative(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        let mut g = Array2::zeros((2, 3));
        g.assign(&(w.mapv(f64::cos) * k));
        g
    }

    #[gradcheck(w in fortran(), k in normal([2, 3]), forward = weighted)]
    fn by_columns(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        derivative(w, k)
    }

    /// Parameters by rows, the gradient by columns.
    #[gradcheck(w in normal([2, 3]), k in normal([2, 3]), forward = weighted)]
    fn gradient_by_columns(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        let mut g = Array2::zeros((2, 3).f());
        g.assign(&derivative(w, k));
        g
    }

    #[gradcheck(w in sliced(), k in normal([2, 3]), forward = weighted)]
    fn a_slice(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        derivative(w, k)
    }

    /// Wrong in one component, whose indices must be those of the array and not of its memory.
    #[gradcheck(
        w in fortran(),
        k in normal([2, 3]),
        forward = weighted,
        ignore = "wrong on purpose",
    )]
    fn by_columns_wrong(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        let mut g = derivative(w, k);
        g[[0, 1]] *= -3.0;
        g
    }

    #[gradcheck(
        w in sliced(),
        k in normal([2, 3]),
        forward = weighted,
        ignore = "wrong on purpose",
    )]
    fn a_slice_wrong(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        let mut g = derivative(w, k);
        g[[0, 1]] *= -3.0;
        g
    }

    /// The memory of a gradient by columns, taken for rows.
    #[gradcheck(
        w in fortran(),
        k in normal([2, 3]),
        forward = weighted,
        ignore = "wrong on purpose",
    )]
    fn rows_for_columns(w: &Array2<f64>, k: &Array2<f64>) -> Array2<f64> {
        let mut g = Array2::zeros((2, 3).f());
        g.assign(&derivative(w, k));
        let memory = g.as_slice_memory_order().expect("its own memory").to_vec();
        Array2::from_shape_vec((2, 3), memory).expect("as many")
    }
}

/// Each wrong function's generated tests fail, for the right reason and in these words.
mod must_fail {
    use super::support::{Outcome, fails, passes, run, run_with};

    /// The generated tests of `module::function`, which must both fail, name the function and say
    /// all of these, in a report of one screen.
    #[track_caller]
    fn both_fail(function: &str, words: &[&str]) -> [Outcome; 2] {
        ["random_init", "after_training"].map(|kind| one_fails(function, kind, words))
    }

    #[track_caller]
    fn one_fails(function: &str, kind: &str, words: &[&str]) -> Outcome {
        let (module, name) = function.split_once("::").expect("a function in a module");
        let headline = format!("{name}: ");
        let mut all = vec![headline.as_str(), "tests/hostile.rs:", "GRADCHECK_SEED="];
        all.extend(words);
        let outcome = fails(&format!("{module}::gradcheck_{name}::{kind}"), &all);
        assert!(outcome.text.lines().count() < 80, "more than a screen:\n{}", outcome.text);
        assert!(outcome.text.len() < 12_000, "{} bytes:\n{}", outcome.text.len(), outcome.text);
        // The process came to its end.
        assert!(outcome.says("test result: FAILED. 0 passed; 1 failed"), "{}", outcome.text);
        outcome
    }

    const WRONG: &str = "the gradient is wrong";

    #[test]
    fn a_panic_at_the_third_call() {
        for outcome in both_fail("panics::at_the_third_call", &["panicked", "the third call"]) {
            assert_eq!(outcome.text.matches("the third call").count(), 1, "{}", outcome.text);
        }
    }

    #[test]
    fn a_panic_with_a_payload() {
        both_fail("panics::with_a_payload", &["the forward panicked: a panic without a message"]);
    }

    #[test]
    fn a_panic_beside_the_state() {
        both_fail("panics::beside_the_edge_wrong", &[WRONG, "w = ["]);
    }

    #[test]
    fn a_panic_all_around_the_state() {
        one_fails("panics::everywhere_else", "random_init", &["never exercised: w"]);
    }

    #[test]
    fn a_global_that_changes() {
        let words = ["not deterministic", "the forward is not deterministic", "w = ["];
        both_fail("globals::at_each_call", &words);
    }

    #[test]
    fn a_cache_of_other_parameters() {
        let words = ["remembers earlier calls", "keeps something of an earlier call", "p = Normed"];
        one_fails("caches::kept", "random_init", &words);
        both_fail("caches::made_anew_wrong", &[WRONG]);
    }

    #[test]
    fn memory_without_end() {
        both_fail("globals::an_output_that_grows", &["not deterministic", "w = ["]);
        both_fail("globals::a_gradient_that_grows", &["wrong shape", "w = ["]);
        both_fail("globals::too_much_memory", &["the forward panicked: capacity overflow"]);
    }

    #[test]
    fn a_call_that_never_returns() {
        for (function, what) in [
            ("forward", "of 500 ms: the forward, called at"),
            ("gradient", "of 200 ms: the gradient, called at a random initialisation"),
            ("draw", "of 200 ms: drawing the state"),
            ("deadlock", "of 200 ms: the forward, called at a random initialisation"),
        ] {
            let words = ["not done after", what, "GRADCHECK_TIMEOUT=3600"];
            one_fails(&format!("endless::{function}"), "random_init", &words);
        }
        one_fails("endless::forward", "random_init", &["(n = ", "none of them fails", "w = ["]);
        let words = ["of 200 ms: the training run", "a state of 3 training steps", "w = ["];
        one_fails("endless::update", "after_training", &words);
        passes("endless::gradcheck_update::random_init");
    }

    #[test]
    fn calls_that_are_slow() {
        for outcome in both_fail("endless::not_in_time", &["not done after 1.5 s", "does not hang"])
        {
            for words in ["ms each", "states have been judged", "the whole check takes"] {
                assert!(outcome.says(words), "{words}: {}", outcome.text);
            }
        }
        let test = "endless::gradcheck_lifted::random_init";
        assert!(run(test).says("not done after 1 ms"));
        for limit in ["300", "0"] {
            let lifted = run_with(test, &[("GRADCHECK_TIMEOUT", limit)]);
            assert!(lifted.passed && lifted.says("2 random initialisations"), "{}", lifted.text);
        }
    }

    #[test]
    fn a_fault_that_was_found_before_the_time_was_up() {
        let words = [WRONG, "scaled by 1.5", "w = [", "time limit of 1 s was reached"];
        one_fails("endless::wrong_first", "random_init", &words);
    }

    #[test]
    fn a_method_of_a_type_that_borrows() {
        let test = "borrowed::gradcheck_weighted_call::random_init";
        let outcome = run(test);
        assert!(outcome.says("Weighted::call: the gradient is wrong"), "{}", outcome.text);
        assert!(outcome.says("scaled by 1.5 in w"), "{}", outcome.text);
    }

    #[test]
    fn a_part_that_a_thread_had() {
        both_fail("threads::forgets_a_part", &[WRONG, "w[2]"]);
    }

    #[test]
    fn threads_that_panic() {
        let joined = ["the forward is not finite: out is NaN", "a thread's own words"];
        // trained states are smaller
        let outcome = one_fails("threads_that_panic::joined", "random_init", &joined);
        let printed = outcome.text.matches("a thread's own words").count();
        assert_eq!(printed, 1, "{}", outcome.text);
        for (function, words) in [("beside", "a thread's own words"), ("aside", "nobody waits")] {
            let test = format!("threads_that_panic::gradcheck_{function}::random_init");
            let outcome = passes(&test);
            assert_eq!(outcome.text.matches(words).count(), 1, "{}", outcome.text);
        }
    }

    #[test]
    fn a_poisoned_lock() {
        both_fail("locks::unwraps", &["panicked", "PoisonError"]);
    }

    #[test]
    fn a_drop_that_panics() {
        both_fail("drops::of_the_gradient", &["panicked", "dropped with a bang", "w = ["]);
        both_fail(
            "drops::of_the_state",
            &["panicked", "dropped with a bang", "dropping the state"],
        );
        both_fail("drops::of_a_local", &["panicked", "dropped with a bang", "w = ["]);
    }

    #[test]
    fn a_debug_without_end() {
        for outcome in both_fail("shows::megabytes_wrong", &[WRONG, "scaled by 1.5", "loud = LOUD"])
        {
            assert!(outcome.text.matches("LOUD").count() < 8, "{}", outcome.text);
        }
    }

    #[test]
    fn a_debug_that_panics() {
        both_fail("shows::panics_wrong", &[WRONG, "scaled by 1.5"]);
    }

    #[test]
    fn lengths() {
        both_fail("lengths::none", &["nothing to perturb", "w` holds no scalar"]);
        both_fail("lengths::one_wrong", &[WRONG, "scaled by 0.5"]);
        both_fail("lengths::none_beside_wrong", &[WRONG, "scaled by 2", "some[0]"]);
    }

    #[test]
    fn a_million_parameters() {
        one_fails("lengths::one_in_a_million", "random_init", &[WRONG, "w[123456]"]);
    }

    #[test]
    fn numbers_at_the_edge() {
        for outcome in both_fail("numbers::denormals_wrong", &[WRONG, "w[3]"]) {
            assert_ne!(outcome.wrong_in("w"), 0, "{}", outcome.text);
        }
        both_fail("numbers::all_denormal_wrong", &[WRONG, "scaled by 3"]);
        both_fail("numbers::large_wrong", &[WRONG, "scaled by 1.5"]);
        both_fail("numbers::huge_and_flat_wrong", &[WRONG, "sign flipped"]);
        both_fail("numbers::tiny_wrong", &[WRONG, "scaled by 1.5"]);
        for outcome in both_fail("numbers::large_beside_ordinary_wrong", &[WRONG, "w[2]"]) {
            assert_eq!(outcome.wrong_in("w"), 1, "{}", outcome.text);
        }
    }

    #[test]
    fn numbers_beyond_the_edge() {
        let words = ["not finite", "the forward is not finite: out is inf"];
        both_fail("numbers::overflows", &words);
        both_fail("numbers::infinite_input_wrong", &[WRONG, "w[0]"]);
        both_fail("numbers::infinite_value", &["not finite", "the forward is not finite"]);
        let words = ["not finite", "a parameter is not finite: x[0] is inf"];
        both_fail("numbers::infinite_parameter", &words);
    }

    #[test]
    fn deep_inside() {
        both_fail("nesting::deep_wrong", &[WRONG, "scaled by 2"]);
        both_fail("nesting::not_as_deep", &["wrong shape"]);
    }

    #[test]
    fn a_thousand_blocks() {
        let words = [WRONG, "sign flipped", "more blocks", "more wrong components"];
        let outcome = one_fails("dictionary::all_wrong", "random_init", &words);
        let rows = outcome.text.lines().filter(|line| line.trim_start().starts_with('w')).count();
        assert!(rows <= 40, "{rows} rows:\n{}", outcome.text);
        both_fail("dictionary::one_wrong", &[WRONG, "w617"]);
        both_fail("dictionary::nothing_there", &["wrong shape"]);
    }

    #[test]
    fn not_a_number_in_some_states() {
        let words = ["not finite", "the gradient is not finite: w[1] is NaN", "w = ["];
        both_fail("fickle::sometimes_not_a_number", &words);
    }

    #[test]
    fn a_shape_that_changes() {
        let words = ["wrong shape", "it changes from one call to the next"];
        both_fail("fickle::loses_a_component", &words);
    }

    #[test]
    fn memory_in_another_order() {
        for function in ["layouts::by_columns_wrong", "layouts::a_slice_wrong"] {
            for outcome in both_fail(function, &[WRONG, "w[0, 1]"]) {
                assert_eq!(outcome.wrong_in("w"), 1, "{}", outcome.text);
            }
        }
        both_fail("layouts::rows_for_columns", &[WRONG]);
    }
}
