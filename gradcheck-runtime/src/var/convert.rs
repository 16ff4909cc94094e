//! Numbers into `Var`, and `Var` into numbers.
use std::any::type_name;
use std::num::ParseFloatError;

use num_traits::{
    AsPrimitive, Bounded, ConstOne, ConstZero, FloatConst, FromPrimitive, Num, NumCast, One,
    ToPrimitive, Zero,
};

use super::Var;
use super::tape::{self, Event};

macro_rules! from_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Var {
            fn from(value: $number) -> Var {
                Var::constant(value.into())
            }
        }
    )*};
}

from_numbers!(f64, f32, i8, i16, i32, u8, u16, u32);

/// The value; a dropped derivative.
impl From<Var> for f64 {
    fn from(var: Var) -> f64 {
        tape::drop_derivative("f64::from", var);
        var.re
    }
}

impl Default for Var {
    fn default() -> Var {
        Var::constant(0.0)
    }
}

impl Zero for Var {
    fn zero() -> Var {
        Var::constant(0.0)
    }
    fn is_zero(&self) -> bool {
        self.compared(Var::constant(0.0), "is_zero");
        self.re == 0.0
    }
}

impl One for Var {
    fn one() -> Var {
        Var::constant(1.0)
    }
    fn is_one(&self) -> bool {
        self.compared(Var::constant(1.0), "is_one");
        self.re == 1.0
    }
}

impl ConstZero for Var {
    const ZERO: Var = Var::constant(0.0);
}

impl ConstOne for Var {
    const ONE: Var = Var::constant(1.0);
}

impl Bounded for Var {
    fn min_value() -> Var {
        Var::constant(f64::MIN)
    }
    fn max_value() -> Var {
        Var::constant(f64::MAX)
    }
}

impl Num for Var {
    type FromStrRadixErr = <f64 as Num>::FromStrRadixErr;
    fn from_str_radix(text: &str, radix: u32) -> Result<Var, Self::FromStrRadixErr> {
        f64::from_str_radix(text, radix).map(Var::constant)
    }
}

impl std::str::FromStr for Var {
    type Err = ParseFloatError;
    fn from_str(text: &str) -> Result<Var, ParseFloatError> {
        text.parse().map(Var::constant)
    }
}

macro_rules! constants {
    ($($name:ident)*) => {
        /// The constants of `f64`, which count as exact: the user's own gradient has no others.
        #[allow(non_snake_case)]
        impl FloatConst for Var {
            $(
                fn $name() -> Var {
                    Var::constant(<f64 as FloatConst>::$name())
                }
            )*
        }
    };
}

constants!(
    E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6
    FRAC_PI_8 LN_10 LN_2 LOG10_E LOG2_E PI SQRT_2 TAU LOG10_2 LOG2_10
);

macro_rules! from_primitive {
    ($($method:ident $number:ty),*) => {
        impl FromPrimitive for Var {
            $(
                fn $method(value: $number) -> Option<Var> {
                    <f64 as FromPrimitive>::$method(value).map(Var::constant)
                }
            )*
        }
    };
}

from_primitive!(
    from_isize isize, from_i8 i8, from_i16 i16, from_i32 i32, from_i64 i64, from_i128 i128,
    from_usize usize, from_u8 u8, from_u16 u16, from_u32 u32, from_u64 u64, from_u128 u128,
    from_f32 f32, from_f64 f64
);

macro_rules! to_primitive {
    ($($method:ident $number:ty),*) => {
        /// A conversion to a float drops the derivative; one to an integer is a step function.
        impl ToPrimitive for Var {
            fn to_f32(&self) -> Option<f32> {
                tape::drop_derivative("to_f32", *self);
                self.re.to_f32()
            }
            fn to_f64(&self) -> Option<f64> {
                tape::drop_derivative("to_f64", *self);
                Some(self.re)
            }
            $(
                fn $method(&self) -> Option<$number> {
                    self.discretised(stringify!($method));
                    self.re.$method()
                }
            )*
        }
    };
}

to_primitive!(
    to_isize isize, to_i8 i8, to_i16 i16, to_i32 i32, to_i64 i64, to_i128 i128,
    to_usize usize, to_u8 u8, to_u16 u16, to_u32 u32, to_u64 u64, to_u128 u128
);

impl Var {
    pub(super) fn discretised(self, operation: &'static str) {
        if !self.is_constant() {
            tape::note(Event::Discretised, operation, self.re);
        }
    }
}

/// `F::from(x)` of an `x` that is itself a `Var` is that `x`, derivative included.
impl NumCast for Var {
    fn from<T: ToPrimitive>(number: T) -> Option<Var> {
        // `ToPrimitive` gives no other way back from `T` to `Var`.
        if type_name::<T>() == type_name::<Var>() {
            let (value, cast) = tape::casting(|| number.to_f64());
            return cast.or(value.map(Var::constant));
        }
        number.to_f64().map(Var::constant)
    }
}

macro_rules! as_integers {
    ($($number:ty),*) => {$(
        impl AsPrimitive<$number> for Var {
            fn as_(self) -> $number {
                self.discretised(concat!("as ", stringify!($number)));
                self.re as $number
            }
        }
        impl AsPrimitive<Var> for $number {
            fn as_(self) -> Var {
                Var::constant(self as f64)
            }
        }
    )*};
}

as_integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! as_floats {
    ($($number:ty),*) => {$(
        impl AsPrimitive<$number> for Var {
            fn as_(self) -> $number {
                tape::drop_derivative(concat!("as ", stringify!($number)), self);
                self.re as $number
            }
        }
        impl AsPrimitive<Var> for $number {
            fn as_(self) -> Var {
                Var::constant(self.into())
            }
        }
    )*};
}

as_floats!(f32, f64);

impl AsPrimitive<Var> for Var {
    fn as_(self) -> Var {
        self
    }
}
