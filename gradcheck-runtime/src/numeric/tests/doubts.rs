//! Each reason to doubt a wrong value, alone: a forward that has only this one, and its twin that
//! has none.
use super::*;

/// What becomes of an analytic value of one that the ladder calls wrong.
fn confirmed(f: impl Fn(f64) -> f64, level: f64) -> Finding {
    let mut line = along(f, 0.0);
    let mut kernel = Kernel::default();
    for step in ladder(&line) {
        kernel.sample(&mut line, step);
    }
    let noise = Noise { level, ratio: 1.0 };
    let targets = [Target { analytic: 1.0, tolerance: 1e-6, noise }];
    let mut estimates = [estimate(f64::NAN, f64::INFINITY, Finding::Undecided)];
    kernel.judge(&targets, &mut estimates, true);
    assert_eq!(estimates[0].finding, Finding::Wrong { near_kink: false });
    kernel.confirm(&mut line, &targets, &mut estimates, &mut [level]);
    estimates[0].finding
}

/// A slope up to a distance to both sides, and another beyond.
fn piece(near: f64, until: f64, beyond: f64) -> impl Fn(f64) -> f64 {
    move |x: f64| {
        let inside = x.clamp(-until, until);
        near * inside + beyond * (x - inside)
    }
}

const WRONG: Finding = Finding::Wrong { near_kink: false };

#[test]
fn narrow_steps_that_noise_would_hide_may_know_better() {
    // So loud that narrow steps have no say; but they come to the analytic value, all of them.
    assert_eq!(confirmed(piece(1.0, 1e-5, 2.0), 1e-5), Finding::Undecided);
    assert_eq!(confirmed(piece(1.3, 1e-5, 2.0), 1e-5), WRONG);
}

#[test]
fn wide_steps_may_know_better_than_a_narrow_piece() {
    assert_eq!(confirmed(piece(2.0, 1e-4, 1.0), 1e-16), Finding::Undecided);
    assert_eq!(confirmed(piece(2.0, 1e-4, 1.3), 1e-16), WRONG);
}
