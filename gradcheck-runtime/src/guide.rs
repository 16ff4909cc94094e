//! What stands behind a verdict, in two pages.

pub mod numeric_derivative {}
pub mod when_a_check_fails {}
