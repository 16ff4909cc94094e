//! Items that cannot be checked.
use gradcheck_macros::gradcheck;

#[gradcheck(x in normal(3), forward = loss)]
async fn awaited(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss)]
unsafe fn not_safe(x: f64) -> f64 {
    x
}

#[gradcheck(x in normal(3), forward = loss)]
struct Layer {
    x: f64,
}

#[gradcheck]
mod inner {}

#[gradcheck]
trait Backward {
    fn backward(&self, x: f64) -> f64;
}

trait Declared {
    #[gradcheck(x in normal(3), forward = loss)]
    fn declared(x: f64) -> f64;
}

#[gradcheck(x in normal(3))]
impl Layer {
    #[gradcheck(x in 0.0..1.0, forward = x)]
    fn f(x: f64) -> f64 {
        x
    }
}

#[gradcheck]
impl Backward for Layer {
    fn backward(&self, x: f64) -> f64 {
        self.x * x
    }
}

#[gradcheck(x in normal(3), forward = Self::loss)]
fn free(x: f64) -> f64 {
    x
}

fn main() {}
