//! Double-double arithmetic, some 106 bits, and the functions the tests need: an oracle that
//! shares neither code nor library with the tape. Accurate to 1e-28 or better over the arguments
//! that the tests use, which is all it is for.
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum `hi + lo`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Dd {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

const LN_2: Dd = Dd { hi: std::f64::consts::LN_2, lo: 2.3190468138462996e-17 };
const HALF_PI: Dd = Dd { hi: std::f64::consts::FRAC_PI_2, lo: 6.123233995736766e-17 };

fn two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    let kept = hi - a;
    Dd { hi, lo: (a - (hi - kept)) + (b - kept) }
}

fn quick(a: f64, b: f64) -> Dd {
    let hi = a + b;
    Dd { hi, lo: b - (hi - a) }
}

impl From<f64> for Dd {
    fn from(hi: f64) -> Dd {
        Dd { hi, lo: 0.0 }
    }
}

impl Add for Dd {
    type Output = Dd;
    fn add(self, b: Dd) -> Dd {
        let (s, t) = (two_sum(self.hi, b.hi), two_sum(self.lo, b.lo));
        let s = quick(s.hi, s.lo + t.hi);
        quick(s.hi, s.lo + t.lo)
    }
}

impl Neg for Dd {
    type Output = Dd;
    fn neg(self) -> Dd {
        Dd { hi: -self.hi, lo: -self.lo }
    }
}

impl Sub for Dd {
    type Output = Dd;
    fn sub(self, b: Dd) -> Dd {
        self + -b
    }
}

impl Mul for Dd {
    type Output = Dd;
    fn mul(self, b: Dd) -> Dd {
        let hi = self.hi * b.hi;
        let lo = self.hi.mul_add(b.hi, -hi);
        quick(hi, lo + (self.hi * b.lo + self.lo * b.hi))
    }
}

impl Div for Dd {
    type Output = Dd;
    fn div(self, b: Dd) -> Dd {
        let q = Dd::from(self.hi / b.hi);
        let r = self - q * b;
        let p = Dd::from(r.hi / b.hi);
        let r = r - p * b;
        q + p + Dd::from(r.hi / b.hi)
    }
}

macro_rules! with_f64 {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait<f64> for Dd {
            type Output = Dd;
            fn $method(self, b: f64) -> Dd {
                self.$method(Dd::from(b))
            }
        }
        impl $trait<Dd> for f64 {
            type Output = Dd;
            fn $method(self, b: Dd) -> Dd {
                Dd::from(self).$method(b)
            }
        }
    )*};
}

with_f64!(Add add, Sub sub, Mul mul, Div div);

impl Dd {
    pub(crate) fn abs(self) -> Dd {
        if self.hi < 0.0 { -self } else { self }
    }

    /// Exact, for powers of two.
    fn scale(self, by: f64) -> Dd {
        Dd { hi: self.hi * by, lo: self.lo * by }
    }

    pub(crate) fn sqrt(self) -> Dd {
        if self.hi == 0.0 {
            return self;
        }
        let root = Dd::from(self.hi.sqrt());
        let root = root + (self - root * root) / root.scale(2.0);
        root + (self - root * root) / root.scale(2.0)
    }

    pub(crate) fn cbrt(self) -> Dd {
        if self.hi == 0.0 {
            return self;
        }
        let mut root = Dd::from(self.hi.cbrt());
        for _ in 0..2 {
            root = root - (root * root * root - self) / (3.0 * (root * root));
        }
        root
    }

    pub(crate) fn powi(self, n: u32) -> Dd {
        (0..n).fold(Dd::from(1.0), |power, _| power * self)
    }

    /// The sum of `first`, `first * x / a`, `.. / b`, and so on down to nothing.
    fn series(first: Dd, x: Dd, mut divisor: impl FnMut() -> f64) -> Dd {
        let (mut term, mut sum) = (first, first);
        for _ in 0..60 {
            term = term * x / divisor();
            sum = sum + term;
            if term.hi.abs() < 1e-34 * sum.hi.abs() {
                break;
            }
        }
        sum
    }

    pub(crate) fn exp(self) -> Dd {
        let k = (self.hi / LN_2.hi).round();
        let mut n = 0.0;
        let reduced = self - k * LN_2;
        let sum = Dd::series(Dd::from(1.0), reduced, || {
            n += 1.0;
            n
        });
        let half = (k / 2.0).trunc();
        sum.scale(half.exp2()).scale((k - half).exp2())
    }

    pub(crate) fn exp_m1(self) -> Dd {
        if self.hi.abs() > 0.5 {
            return self.exp() - 1.0;
        }
        let mut n = 1.0;
        Dd::series(self, self, || {
            n += 1.0;
            n
        })
    }

    /// The area hyperbolic tangent, for arguments below 1/3.
    fn atanh_series(self) -> Dd {
        let square = self * self;
        let (mut power, mut sum) = (self, self);
        for k in 1..60 {
            power = power * square;
            sum = sum + power / f64::from(2 * k + 1);
            if power.hi.abs() < 1e-34 * sum.hi.abs() {
                break;
            }
        }
        sum
    }

    pub(crate) fn ln_1p(self) -> Dd {
        if self.hi.abs() < 0.4 {
            return (self / (self + 2.0)).atanh_series().scale(2.0);
        }
        (self + 1.0).ln()
    }

    pub(crate) fn ln(self) -> Dd {
        if (self.hi - 1.0).abs() < 0.4 {
            return (self - 1.0).ln_1p();
        }
        let mut y = Dd::from(self.hi.ln());
        for _ in 0..2 {
            y = y + (self * (-y).exp() - 1.0);
        }
        y
    }

    pub(crate) fn sin_cos(self) -> (Dd, Dd) {
        let k = (self.hi / HALF_PI.hi).round();
        let x = self - k * HALF_PI;
        let square = -(x * x);
        let mut n = 1.0;
        let sin = Dd::series(x, square, || {
            n += 2.0;
            n * (n - 1.0)
        });
        n = 0.0;
        let cos = Dd::series(Dd::from(1.0), square, || {
            n += 2.0;
            n * (n - 1.0)
        });
        match k.rem_euclid(4.0) as u32 {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        }
    }

    pub(crate) fn tan(self) -> Dd {
        let (sin, cos) = self.sin_cos();
        sin / cos
    }

    pub(crate) fn atan(self) -> Dd {
        if self.hi.abs() > 1.0 {
            let rest = (1.0 / self).atan();
            return if self.hi > 0.0 { HALF_PI - rest } else { -HALF_PI - rest };
        }
        let near = Dd::from(self.hi.atan());
        let tan = near.tan();
        // What is left is so small that it is its own arc tangent.
        near + (self - tan) / (1.0 + self * tan)
    }

    pub(crate) fn atan2(self, x: Dd) -> Dd {
        if self.abs().hi > x.abs().hi {
            let rest = (x / self).atan();
            return if self.hi > 0.0 { HALF_PI - rest } else { -HALF_PI - rest };
        }
        let turn = (self / x).atan();
        match (x.hi < 0.0, self.hi < 0.0) {
            (false, _) => turn,
            (true, false) => turn + HALF_PI.scale(2.0),
            (true, true) => turn - HALF_PI.scale(2.0),
        }
    }

    pub(crate) fn asin(self) -> Dd {
        self.atan2(((1.0 - self) * (1.0 + self)).sqrt())
    }

    pub(crate) fn acos(self) -> Dd {
        ((1.0 - self) * (1.0 + self)).sqrt().atan2(self)
    }

    pub(crate) fn sinh(self) -> Dd {
        let e = self.exp_m1();
        (e + e / (e + 1.0)).scale(0.5)
    }

    pub(crate) fn cosh(self) -> Dd {
        let e = self.exp();
        (e + 1.0 / e).scale(0.5)
    }

    pub(crate) fn tanh(self) -> Dd {
        let e = (-self.abs().scale(2.0)).exp_m1();
        let tanh = -e / (e + 2.0);
        if self.hi < 0.0 { -tanh } else { tanh }
    }

    pub(crate) fn asinh(self) -> Dd {
        let x = self.abs();
        let root = (x * x + 1.0).sqrt();
        let y = (x + x * x / (root + 1.0)).ln_1p();
        if self.hi < 0.0 { -y } else { y }
    }

    pub(crate) fn acosh(self) -> Dd {
        let above = self - 1.0;
        (above + (above * (self + 1.0)).sqrt()).ln_1p()
    }

    pub(crate) fn atanh(self) -> Dd {
        (2.0 * self / (1.0 - self)).ln_1p().scale(0.5)
    }

    pub(crate) fn powf(self, n: Dd) -> Dd {
        (self.ln() * n).exp()
    }

    pub(crate) fn hypot(self, b: Dd) -> Dd {
        (self * self + b * b).sqrt()
    }
}

/// The oracle is itself held against identities that none of its functions is built from.
#[test]
fn the_oracle_is_accurate() {
    let close = |a: Dd, b: Dd| {
        let scale = if b.hi == 0.0 { 1.0 } else { b.hi.abs() };
        let difference = (a - b).hi.abs() / scale;
        assert!(difference < 1e-28, "{a:?} and {b:?} differ by {difference:e}");
    };
    let mut random = crate::Random(1);
    for _ in 0..2000 {
        let (x, y) = (Dd::from(random.signed(1e-6, 30.0)), Dd::from(random.signed(1e-6, 30.0)));
        close((x + y).exp(), x.exp() * y.exp());
        close((x * x).ln() / x.abs().ln(), Dd::from(2.0));
        let ((sx, cx), (sy, cy)) = (x.sin_cos(), y.sin_cos());
        let (s, _) = (x + y).sin_cos();
        assert!((s - (sx * cy + cx * sy)).abs().hi < 1e-29);
        close(x.tan().atan().tan(), x.tan());
        let (t, u) = (x.tanh(), y.tanh());
        let difference = ((x + y).tanh() * (1.0 + t * u) - (t + u)).abs().hi;
        assert!(difference < 1e-30);
        close(x.asinh().sinh(), x);
        close(x.cbrt().powi(3), x);
        close(x.hypot(y) * x.hypot(y), x * x + y * y);
        // The identities lose the digits of a small difference from 1.
        let z = Dd::from(random.uniform(-0.999, 0.999));
        close(z.asin().sin_cos().0, z);
        close(z.acos().sin_cos().1, z);
        close(z.atanh().tanh(), z);
        close((1.0 + x.abs()).acosh().cosh(), 1.0 + x.abs());
        close(z.ln_1p().exp_m1(), z);
    }
    close(Dd::from(1.0).atan2(Dd::from(-1.0)), HALF_PI.scale(1.5));
    close(Dd::from(2.0).powf(Dd::from(0.5)), Dd::from(2.0).sqrt());
}
