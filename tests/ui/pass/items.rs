//! Whatever the attribute stands on comes through, and a build without tests has nothing more.
#![deny(warnings)]
use gradcheck_macros::gradcheck;

#[gradcheck(x in vec(3), forward = nothing_of_this_exists(&x))]
#[inline]
pub const fn constant(x: &[f64; 3]) -> [f64; 3] {
    *x
}

#[gradcheck(r#type in 0.0..1.0, x in 0.0..1.0, forward = gone)]
#[ignore = "for the tests"]
pub extern "C" fn foreign(r#type: f64, mut _x: f64) -> f64
where
    f64: Copy,
{
    _x += r#type;
    _x
}

pub struct Dense {
    weight: f64,
}

pub trait Layer {
    fn backward(self, x: f64) -> f64;
}

#[gradcheck]
impl Layer for Dense {
    #[gradcheck(self in dense(), x in 0.0..1.0, wrt = x, forward = self.forward(x))]
    fn backward(self, x: f64) -> f64 {
        self.weight * x
    }
}

#[gradcheck]
impl Dense {
    #[gradcheck_runtime::gradcheck(self in dense(), x in 0.0..1.0, wrt = x, forward = x)]
    #[cfg_attr(test, gradcheck_macros::gradcheck(self in dense(), x in 0.0..1.0, forward = x), ignore)]
    pub fn twice(&mut self, x: f64) -> f64 {
        self.weight * x
    }
}

fn main() {
    assert_eq!(constant(&[1.0; 3]), [1.0; 3]);
    assert_eq!(foreign(1.0, 2.0), 3.0);
    assert_eq!(Dense { weight: 2.0 }.backward(3.0), 6.0);
    assert_eq!(Dense { weight: 2.0 }.twice(3.0), 6.0);
}
