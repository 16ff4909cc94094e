//! What a check may be told.
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// How the numeric side is had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Every coordinate, up to [`Method::AUTO_FORWARDS`] forward calls for the whole test;
    /// beyond that, random directions and a sample of coordinates.
    #[default]
    Auto,
    /// Every coordinate, whatever it costs.
    Exhaustive,
    /// Random directions through each block and through all of them, and the wrong components
    /// found by halving the set of coordinates.
    Directional {
        /// Directions for each block, and for the whole.
        probes: u32,
    },
}

impl Method {
    /// Forward calls of one test beyond which [`Method::Auto`] turns to directions.
    pub const AUTO_FORWARDS: usize = 30_000;
}

/// What the gradient of a real `L` with respect to a complex parameter `z = x + i y` holds, and
/// what it is given as the cotangent of a complex output.
///
/// Libraries and text books differ. The four agree on what is measured, `dL/dx` and `dL/dy`. With a
/// complex output `w = u + i v`, a cotangent `c` holds the gradient of some real `L` with respect to
/// `w` in the same convention, so that the chain rule of the convention is what is checked. A
/// directional derivative (`tangent`) is the same in all of them, and so is the Jacobian of a
/// complex forward: with respect to real parameters `dw/dx`, with respect to complex ones `dw/dz`,
/// which the forward has only if it is holomorphic.
///
/// ```
/// # #[cfg(feature = "num-complex")] {
/// use gradcheck_runtime::{Convention, Settings, check_at};
/// use num_complex::Complex64;
///
/// let mut z = Complex64::new(0.6, -0.8);
/// let square = |z: &Complex64| z.norm_sqr();
/// let check = |convention, gradient: fn(&Complex64) -> Complex64, z: &mut Complex64| {
///     !check_at(z, &Settings::new().complex(convention), square, gradient).is_wrong()
/// };
/// assert!(check(Convention::Ascent, |z| 2.0 * z, &mut z));
/// assert!(check(Convention::Conjugate, |z| 2.0 * z.conj(), &mut z));
/// assert!(check(Convention::WirtingerConjugate, |z| *z, &mut z));
/// assert!(check(Convention::Wirtinger, |z| z.conj(), &mut z));
/// assert!(!check(Convention::Ascent, |z| 2.0 * z.conj(), &mut z));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// `dL/dx + i dL/dy`: the direction in which `L` grows fastest, twice `dL/d(conj z)`. A
    /// holomorphic `w = f(z)` hands back `conj(f'(z)) c`.
    #[default]
    Ascent,
    /// `dL/dx - i dL/dy`, the conjugate of that, twice `dL/dz`. A holomorphic `w = f(z)` hands back
    /// `f'(z) c`.
    Conjugate,
    /// `dL/d(conj z) = (dL/dx + i dL/dy) / 2`, Wirtinger's derivative by the conjugate.
    WirtingerConjugate,
    /// `dL/dz = (dL/dx - i dL/dy) / 2`, Wirtinger's derivative.
    Wirtinger,
}

impl Convention {
    /// What turns the real and the imaginary part of such a gradient into `dL/dx` and `dL/dy`.
    pub(crate) fn factors(self) -> [f64; 2] {
        match self {
            Convention::Ascent => [1.0, 1.0],
            Convention::Conjugate => [1.0, -1.0],
            Convention::WirtingerConjugate => [2.0, 2.0],
            Convention::Wirtinger => [2.0, -2.0],
        }
    }
}

/// Settings of a check. What is `None` is chosen by the check.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// Largest relative difference `|g - g~| / (|g| + |g~|)` that passes. Default: 2e-7 where
    /// parameters and outputs are `f64`, 1e-3 where either is `f32`.
    pub tolerance: Option<f64>,
    /// Smallest first step tried, relative to the size of the coordinate. Default: 1e-7 in
    /// `f64`, 1e-3 in `f32`. A wider one is taken where the forward's noise asks for it.
    pub epsilon: Option<f64>,
    /// States to check. Default: 32 random initialisations, 16 trained states.
    pub cases: Option<u32>,
    /// Seed of all draws. Default: a hash of the test's name, so that a run can be repeated.
    pub seed: Option<u64>,
    /// How the numeric side is had.
    pub method: Method,
    /// What a gradient with respect to complex parameters holds.
    pub complex: Convention,
    /// Steps of training before a trained state is checked. Default: 1 to 10.
    pub steps: Option<RangeInclusive<usize>>,
    /// Rate of plain gradient descent. Default: the step is halved until the forward decreases.
    pub learning_rate: Option<f64>,
    /// How long a generated test may take; zero is no limit. Default: ten minutes. It does not
    /// hold for [`check_at`](crate::check_at), which runs where it is called.
    pub timeout: Option<Duration>,
}

impl Settings {
    /// The defaults.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// With another tolerance.
    pub fn tolerance(mut self, tolerance: f64) -> Settings {
        self.tolerance = Some(tolerance);
        self
    }

    /// With another smallest first step.
    pub fn epsilon(mut self, epsilon: f64) -> Settings {
        self.epsilon = Some(epsilon);
        self
    }

    /// With another seed.
    pub fn seed(mut self, seed: u64) -> Settings {
        self.seed = Some(seed);
        self
    }

    /// With another method.
    pub fn method(mut self, method: Method) -> Settings {
        self.method = method;
        self
    }

    /// With another convention for complex gradients.
    pub fn complex(mut self, convention: Convention) -> Settings {
        self.complex = convention;
        self
    }

    /// What passes, for scalars of the given unit roundoff.
    pub(crate) fn tolerance_at(&self, roundoff: f64) -> f64 {
        self.tolerance.unwrap_or(if roundoff < 1e-10 { 2e-7 } else { 1e-3 })
    }

    /// Smallest first step, for scalars of the given unit roundoff.
    pub(crate) fn epsilon_at(&self, roundoff: f64) -> f64 {
        self.epsilon.unwrap_or(if roundoff < 1e-10 { 1e-7 } else { 1e-3 })
    }
}

/// A number of training steps, or a range of them.
pub trait Steps {
    /// Smallest and largest.
    fn steps(self) -> RangeInclusive<usize>;
}

impl Steps for usize {
    fn steps(self) -> RangeInclusive<usize> {
        self..=self
    }
}

impl Steps for Range<usize> {
    fn steps(self) -> RangeInclusive<usize> {
        self.start..=self.end.saturating_sub(1)
    }
}

impl Steps for RangeInclusive<usize> {
    fn steps(self) -> RangeInclusive<usize> {
        self
    }
}

/// The steps of `train(steps = ..)`.
pub fn steps(steps: impl Steps) -> RangeInclusive<usize> {
    steps.steps()
}
