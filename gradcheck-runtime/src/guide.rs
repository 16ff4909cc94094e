//! What stands behind a verdict, in two pages.
//!
//! - [`when_a_check_fails`]: what each verdict and each diagnosis means, and what to do;
//! - [`numeric_derivative`]: how the other side of the comparison is had, where that comes from, and
//!   what it cannot know.

pub mod when_a_check_fails {
    //! What each verdict and each diagnosis means, and what to do.
    //!
    //! # Read the report from the top
    //!
    //! - The **headline** says where: in a random initialisation, or after so many steps of
    //!   training.
    //! - The **difference** is `|g - g~| / (|g| + |g~|)` of the analytic gradient g and the
    //!   numeric one g~, in Euclidean norms, with its classical [grade](crate::Grade): up to 1e-7
    //!   likely correct, up to 1e-5 look at the components, up to 1e-3 suspicious, above
    //!   probably a bug. If one wrong component hides behind a large norm, the line says so.
    //! - The **diagnosis** names the fault where its shape is clear.
    //! - One row for each **block** (an array, scalar or list of the parameters), and the
    //!   worst **components** by their path, each with the bound on the error of its difference.
    //! - The **smallest case**: the draws after shrinking, and how to run it again. The case is
    //!   also kept in `proptest-regressions` and tried first the next time.
    //!
    //! # Look at it
    //!
    //! `GRADCHECK_REPORT=folder cargo test` draws a page for each check.
    //!
    //! - The **maps** show each block of the largest failing state: blue agrees, the darker the
    //!   closer to the tolerance; orange with a cross is wrong; stripes are kinks; dots are undecided. A
    //!   row, a triangle or a single cell says more than a number.
    //! - **Error against the step** is of the worst component: how far the central difference with step
    //!   h is from the best numeric value. On the left it falls as the noise of the forward over h, on the
    //!   right it rises as h^2. The orange line is what the gradient itself is off by: where it stands
    //!   high above the valley, no step is to blame.
    //! - **Along training** tells whether a fault is there from the start, or comes with where the run
    //!   leads.
    //! - **Planted faults** tell what the check would have caught.
    //!
    //! The same report stands in a [`StateReport`](crate::StateReport):
    //!
    //! ```
    //! use gradcheck_runtime::{Settings, check_at};
    //! use ndarray::{Array1, array};
    //!
    //! let mut w = array![0.5, -1.5, 2.0];
    //! let cost = |w: &Array1<f64>| w.mapv(|w| w.powi(4)).sum();
    //! let report = check_at(&mut w, &Settings::new(), cost, |w| w.mapv(|w| 2.0 * w.powi(3)));
    //! assert!(report.is_wrong());
    //! assert!(report.to_string().contains("scaled by 0.5"), "{report}");
    //! ```
    //!
    //! # The verdict on a component
    //!
    //! | verdict | meaning | what to do |
    //! | --- | --- | --- |
    //! | agrees | the difference is under the tolerance, and the error bound is small enough to say so | nothing |
    //! | kink | the one-sided derivatives differ and g lies between them (ReLU at zero, a tie in a max), or g is right all around and no further from that than it jumps | nothing; if most are kinks, draw other states |
    //! | undecided | rounding hides the answer: nothing speaks against g, nothing proves it | see [below](#many-components-are-undecided) |
    //! | wrong | the difference exceeds the tolerance and the bounds together, and a second step of another size shows it too | the gradient or the forward has a fault |
    //!
    //! Of these only *wrong* fails a check. The verdict is [`Verdict`](crate::evidence::Verdict) in a report.
    //!
    //! # What the diagnosis means
    //!
    //! | words | look for |
    //! | --- | --- |
    //! | sign flipped | `y - a` for `a - y`; a minus of an inner derivative; ascent for descent |
    //! | conjugated | another [convention](crate::Convention) than the check's, or a `conj` missing |
    //! | scaled by K | with a size behind it (`= m`) a mean's `1/m`, missing or done twice; 2 or 0.5 at a square |
    //! | scaled by K to L | a norm, a weight or a drawn setting that is left out: the factor differs between states |
    //! | scaled, or a constant offset, for each index of an axis | a factor of that axis, or a mean that is not subtracted |
    //! | factor of a parameter | a factor of the chain rule missing, or one too many |
    //! | zero gradient | a field that is never filled in |
    //! | the forward does not depend on it | another parameter's gradient; a forward that reads a copy |
    //! | missing, or extra, term proportional to the parameter | an L2 penalty on one side only, or counted twice; of its *sign*, an L1 penalty; with a factor for each state, a norm held fixed, or a penalty of a drawn weight |
    //! | constant offset | a term that is added to each component |
    //! | transposed, reversed, shifted by one, in another order | the index arithmetic; row-major for column-major |
    //! | A swapped with B, another block's gradient | the order of a returned tuple, or of the fields |
    //! | one slice for all | a broadcast in place of a sum, or a mean for a sum |
    //! | first, or last, slice in place of the sum over m; left out of it | a sum that is overwritten, not added to; an edge of the loop over m. Told by the same draws with one slice and with one less, where the range of `m` allows them |
    //! | zero where the numeric is not, or the reverse | a mask |
    //! | clipped at K | a gradient clipping left in |
    //! | errors of the size of single precision | a part that is computed in `f32` |
    //! | one component of N, some components | an edge of a loop; the region is named if it has one (first slice, diagonal, negative parameters) |
    //! | wrong only after training | saturated and dead units, or state that an earlier call left behind |
    //! | wrong only where n >= 2 | what only several elements show: a term between two of them, an index, a sum or a normalisation over n |
    //! | numbers of another failing state | the case that is shown does not have this fault |
    //! | no known shape | no guess is made: start from the smallest case and its worst component |
    //!
    //! [`diagnose`](crate::diagnose) says when a shape is believed.
    //!
    //! # Nothing to compare
    //!
    //! These fail before any number is compared; [`Failure`](crate::Failure) lists them.
    //!
    //! | headline | what to do |
    //! | --- | --- |
    //! | not deterministic | switch dropout off (`keep_prob = 1.0`), or draw the mask and pass it in; fix the seed of a generator; clear what an earlier call left |
    //! | accumulates | a second call gave the sum of both: clear the gradient first, or say `out(g += x)` |
    //! | overwritten, not accumulated; accumulated, not overwritten | `out(g += x)` and `out(g = x)` are not the same: correct the one that is wrong |
    //! | accumulates something else | with `out(g += x)`, what was in the buffer is scaled, or another buffer is read |
    //! | never written, or accumulated | with `out(g = x)`, an entry that the call leaves as it was: write the zero |
    //! | changes its parameters | the forward or the gradient writes to a `wrt` place |
    //! | wrong shape | the report lists what is missing and what does not fit |
    //! | not finite | a NaN or an infinity in the forward or the gradient: a fault, or a state outside the domain; draw others |
    //! | returned an error, panicked | the message is shown |
    //! | not done after 10 min | a call that never returns: the report names it and its state. A slow one: fewer `cases`, smaller `dims`, `method`, or more time with `timeout = Duration::from_secs(3600)` or GRADCHECK_TIMEOUT=3600 |
    //! | the training run diverged | a lower `learning_rate`, or none: then each step is halved until the forward decreases |
    //! | nothing to perturb, the forward returns nothing | an empty `wrt` or output; start the sizes at 1 |
    //! | no state could be drawn | the strategy rejected too much |
    //! | the draws differ between scalar types | with `exact = F`, a strategy that depends on `F` for more than its type |
    //!
    //! # Never exercised
    //!
    //! A check that cannot fail fails. Zeros and a flipped sign are planted in each block of the
    //! numbers at hand; if no random initialisation would have called one of them wrong, the block was
    //! *never exercised*: the forward does not use it, no drawn state reaches it (a unit that is
    //! dead everywhere), or rounding hides it. Draw states in which it matters. Where the gradient is
    //! zero by design, such as for a bias before a normalisation, write `allow_zero(b)`.
    //!
    //! This is asked of random initialisations. Training may end in a perfect fit, where the
    //! gradient is rounding and nothing can be said of it: that is no fault, so the test passes, and
    //! its line says `NOT TESTED after training`, with the blocks. Fewer steps leave something to check.
    //! Where nothing of a block agrees in any random initialisation, all of it being on a kink or
    //! undecided, the line says `NOT TESTED at random`: what lies between the slopes of a kink passes
    //! there, be it right or wrong.
    //!
    //! # Many components are undecided
    //!
    //! The forward loses digits. The usual culprit is the cross-entropy `ln(1 - al)` of a saturated
    //! sigmoid: near `al = 1` nearly all digits of `1 - al` are gone, and at 1 the value is
    //! infinite. From the logit z the same value is `max(z, 0) - z y + ln(1 + exp(-|z|))`:
    //!
    //! ```
    //! use gradcheck_runtime::{Settings, check_at};
    //!
    //! let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    //! let gradient = |z: &f64| sigmoid(*z); // of a label y = 0
    //! let lossy = |z: &f64| -(1.0 - sigmoid(*z)).ln();
    //! let stable = |z: &f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
    //!
    //! let mut z = 30.0;
    //! let report = check_at(&mut z, &Settings::new(), lossy, gradient);
    //! assert!(!report.is_wrong());
    //! assert_eq!(report.counts().undecided, 1);
    //! let report = check_at(&mut z, &Settings::new(), stable, gradient);
    //! assert_eq!(report.counts().agreed, 1);
    //! ```
    //!
    //! A better form helps training as well. Where the forward cannot be changed, a larger
    //! `tolerance` settles more, and a forward that is generic over its scalar can be checked with
    //! `exact = F`.
    //!
    //! # Before blaming the check
    //!
    //! - Is a complex gradient wrong in every imaginary part, or by a factor of 2 throughout? Say which
    //!   [convention](crate::Convention) it follows.
    //! - Is a complex Jacobian that of a holomorphic function? Others have none; take a `cotangent`.
    //! - Keep a penalty, and every constant factor, on both sides: in the forward and in the gradient.
    //! - The forward that is checked ought to be the one that is trained, dropout apart.
    //! - Does the forward round to `f32` inside? [Then set the tolerance](super::numeric_derivative#what-it-cannot-know).
}

pub mod numeric_derivative {
    //! How the numeric derivative is had, where that comes from, and what it cannot know.
    //!
    //! The classical check takes one central difference, `(f(x + h) - f(x - h)) / 2h` with h = 1e-7,
    //! and compares with a tolerance. No fixed step is right everywhere: a wide one is off by
    //! truncation, and meets kinks that are not at x at all; a narrow one drowns in the rounding of the
    //! forward, above all near a minimum or in saturation. So here a step is chosen for each
    //! component, only as much work is done as the value at hand asks for, and the error is
    //! bounded from both sides.
    //!
    //! # The first step
    //!
    //! The noise of the forward is measured once for a state: the scatter of ten values close by
    //! around a parabola through them, at irregular points, and wider apart where the values
    //! do not move. It is never taken to be less than the rounding of the value. The first central
    //! difference of a component takes the smallest step at which that noise is small beside
    //! `tolerance * |g|`, and no less than `epsilon` (1e-7, or 1e-3 in `f32`) of the coordinate's
    //! scale: its own size, the median size of its block where that is larger, or 1 where the
    //! whole block is zero. A block of very small parameters that moves the forward by no more than
    //! its rounding on such a length (what training has brought to zero, but for rounding) has the
    //! shortest on which it does. A narrower step could settle nothing, a wider one only meets more kinks. Only
    //! where g speaks of a function that varies on lengths far below the scale (a phase counted from
    //! long ago, a time beside an amplitude) is it narrower: what g takes to change the value by a
    //! hundred-thousandth. Differences are divided by the step that was really taken after rounding.
    //! Where the difference agrees with g to the tolerance and its noise is small enough to say so, the
    //! component is settled, for two forwards; on ordinary states nearly all are.
    //!
    //! # The ladder
    //!
    //! The others go through a ladder of steps, from 1/32 of the scale down by factors of 16 to about
    //! 2e-9 of it (in `f32` from 1/4 by factors of 4), the most useful first. Central differences at
    //! neighbouring steps are extrapolated to fourth and sixth order (Richardson); what extrapolation
    //! changes bounds the truncation, noise over the step bounds the rounding, and the
    //! step whose two bounds together are least is believed. If rounding is still the limit, wider
    //! steps follow. Where the error falls only as h, as it does without a second derivative, this is
    //! seen from the ratios and the higher orders are not used.
    //!
    //! # One side at a time: kinks
    //!
    //! Differences to the right and to the left are extrapolated by themselves. If they meet, they
    //! are a derivative even where a kink on one side spoils the central difference. Where a kink is
    //! near but narrow steps show none of it, the other side's derivative is that of the state. If they
    //! stay apart by more than their bounds at every step, the state is on a kink; g is then accepted
    //! between them, for a derivative does not exist there. Where
    //! several kinks meet, g need not lie between: state and gradient are then moved a
    //! little aside (about a thousandth of the scale), and judged there. What g is at the state itself
    //! is held against what the gradient is right beside it, in some three dozen directions: a
    //! convention puts it together from these (Clarke's generalised gradient is their convex hull), or
    //! leads no further beyond them than they jump. Where values tie, as in a
    //! max, the components that share the derivative out among them have one sum on every side, and
    //! at the state too: the whole to every tie, or nothing to any, is wrong. Which of its
    //! conventions a function follows on a kink is not judged.
    //!
    //! In single precision no step is narrow enough to be free of kinks, and kinks of both signs show
    //! no gap. Before g is called wrong there, its means along the parameter are compared with the
    //! differences of the forward over the same ways, a sixteenth and a quarter of the scale to each
    //! side, and less where rounding lets it: they are one number where the gradient is right around
    //! the state, kinks or none (the fundamental theorem of calculus), and the component is a kink, or
    //! undecided. A value that g has at the state alone is not excused so.
    //!
    //! # The narrowest step has the last word
    //!
    //! A forward may vary within the steps that say *wrong*, in dense kinks or fast waves. Before it is
    //! said, steps are taken from the narrowest at which the difference between g and the
    //! numeric value is thirty roundings of the forward. Where three of them in a row show g, and
    //! the forward does not go on by a jump there (then they lay on a stair), the component stays
    //! undecided.
    //!
    //! # Many samples where rounding is the limit
    //!
    //! What is still undecided then is fitted: a polynomial through forty irregular samples, in
    //! windows from twice the scale down to 1/64 of it. A difference bears the rounding of two values,
    //! a fit averages that of forty, over a far wider window. It is believed only where two more
    //! powers add nothing and what is left looks like rounding, neighbours not being correlated, which
    //! the rest of a kink, of a staircase or of a higher power is. *Wrong* needs two windows. At most
    //! 10,000 forwards of a state, or twice its parameters, are spent so.
    //!
    //! A component that cannot be resolved beside itself agrees if its difference and its bound are under
    //! the tolerance beside what the gradient is where all parameters have moved by half their
    //! scale: at a stationary point, a gradient that is rounding and no more. So does a zero, but for
    //! rounding, on whose parameter's scale the forward moves by its own rounding and no more: a bias
    //! before a normalisation.
    //!
    //! # Both sides have a bound
    //!
    //! The analytic side rounds too: at the optimum of a least-squares fit a correct gradient is
    //! nothing but rounding. Before a component is called wrong, the gradient is evaluated at
    //! parameters a few hundred units of rounding away; its spread, and some units of rounding of its
    //! largest component, here or half a scale away, and of the output, are its own bound. The unit of
    //! rounding is that which the forward is seen to have: one that rounds to `f32` inside has stairs
    //! whose slopes no gradient is. *Wrong* needs a difference beyond
    //! tolerance and both bounds, which a second step of another size shows as well, and which the
    //! noise at the stencil's own width, or a forward that moves in stairs, does not explain. Stairs
    //! are jumps, found by halving; those that no step along one parameter meets, because it has
    //! little weight in what has lost its digits, are looked for along all parameters together.
    //!
    //! A saturated gradient such as `p - y` near one rounds as one does, however small it is itself,
    //! while a stable forward keeps its digits. What is off by less than some hundred roundings of its
    //! own unsaturated size is therefore followed while all parameters shrink: if it moves in stairs of
    //! that rounding, some of them are its bound, and it is undecided; a gradient that is zero, or off
    //! by more, moves in none. The same is done with the forward, where large terms that cancel may
    //! have absorbed small ones.
    //!
    //! # Many parameters: directions
    //!
    //! Every component costs two forwards or more. Beyond [`Method::AUTO_FORWARDS`] for a test,
    //! [`Method::Auto`] takes slopes along two random directions through each block, one through all
    //! of them, and two components of each block by themselves. Entries have a random sign and
    //! a magnitude from 0.5 to 1.5, for with plain signs two equal errors cancel half the time.
    //! Steps go down from half the fifth root of the unit roundoff (3e-4), each extrapolated with the
    //! one before it, until a slope agrees or is off by the same on several. A slope is held against
    //! its error bound, not against the tolerance, beside which one wrong component in many thousands
    //! would be nothing; where it is off, the components are halved until the wrong ones have names,
    //! and each name has been measured by itself. [`Method::Directional`] asks for this,
    //! [`Method::Exhaustive`] for every component. Jacobians and tangents are always measured in full.
    //!
    //! What no direction shows: a component whose error, times the size of its parameter, is below
    //! some 6e4 times the noise of the forward, or 1e6 times where kinks are so dense that only steps
    //! of 5e-6 are clear of them. With a forward of order one (noise 1e-16 to 1e-15) that is an error
    //! of 1e-11 to 1e-9. The exhaustive method sees errors that are small beside their own component,
    //! however small that is.
    //!
    //! [`Method::Auto`]: crate::Method::Auto
    //! [`Method::AUTO_FORWARDS`]: crate::Method::AUTO_FORWARDS
    //! [`Method::Directional`]: crate::Method::Directional
    //! [`Method::Exhaustive`]: crate::Method::Exhaustive
    //!
    //! # Without differences
    //!
    //! With `exact = F` a tape gives the derivative, and a difference only confirms that it is one:
    //! [its own page](super::exact_derivative).
    //!
    //! # What it cannot know
    //!
    //! - That a forward rounds to `f32` inside, while parameters and result are `f64`. It looks
    //!   like a forward in `f64` that moves in stairs: with the default tolerance a correct
    //!   gradient is mostly undecided, and now and then called wrong, for the slope of the stairs
    //!   really is another. Say so, with `tolerance = 1e-3`.
    //!
    //!   ```
    //!   use gradcheck_runtime::{Settings, check_at};
    //!
    //!   let forward = |x: &f64| f64::from((*x as f32).sin());
    //!   let report = check_at(&mut 0.7, &Settings::new(), forward, |x| x.cos());
    //!   assert_eq!(report.counts().undecided, 1);
    //!   let settings = Settings::new().tolerance(1e-3);
    //!   let report = check_at(&mut 0.7, &settings, forward, |x| x.cos());
    //!   assert_eq!(report.counts().agreed, 1);
    //!   ```
    //!
    //! - A forward that varies on lengths below 1e-9 of a coordinate's scale: no step of the ladder
    //!   is narrow enough, and a correct gradient may be called wrong there.
    //! - What rounding has erased. The answer is *undecided*, and the remedy another form of
    //!   the forward, such as the cross-entropy
    //!   [from its logits](super::when_a_check_fails#many-components-are-undecided) for `ln(1 - al)`.
    //! - States that were not drawn. A fault that shows only where no draw leads is not found;
    //!   faults planted in the gradients at hand, and how many were caught, tell what the states can
    //!   see.
    //! - A fault below the tolerance: a factor of 1.0000001 passes for 1.
    //! - A fault on both sides. The forward is taken for the truth.
    //!
    //! # Sources
    //!
    //! - J. J. Moré and S. M. Wild, "Estimating computational noise", SIAM Journal on Scientific
    //!   Computing 33 (2011): noise from nearby values, and wider apart where they do not move.
    //! - C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in
    //!   Engineering Software 4 (1982): extrapolation down a ladder of steps, stopped where
    //!   rounding takes over.
    //! - J. von Neumann, "Distribution of the ratio of the mean square successive difference to the
    //!   variance", Annals of Mathematical Statistics 12 (1941): whether what a fit leaves is noise.
    //! - N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.3, and
    //!   J. H. Wilkinson: the running error analysis behind the tape's bounds.
}

pub mod exact_derivative {
    //! The derivative without differences (`exact = F`): how it is judged, and how far it goes.
    //!
    //! # What to change in a forward
    //!
    //! Only the forward becomes generic over its scalar; the gradient stays an `f64` function.
    //!
    //! ```diff
    //! -fn loss(w: &Array1<f64>, x: &Array2<f64>) -> f64 {
    //! -    x.dot(w).mapv(|z| z.max(0.0) + (-z.abs()).exp().ln_1p()).sum() / x.nrows() as f64
    //! +fn loss<F: NdFloat>(w: &Array1<F>, x: &Array2<F>) -> F {
    //! +    let softplus = |z: F| z.max(F::zero()) + (-z.abs()).exp().ln_1p();
    //! +    x.dot(w).mapv(softplus).sum() / F::from(x.nrows()).unwrap()
    //!  }
    //! ```
    //!
    //! `ndarray`'s `NdFloat` has all that such a function asks for; `num_traits::Float` will do where no
    //! array is computed with. Draws that the forward uses name the scalar, `normal::<F, _>(n)`; a
    //! range of it is `uniform::<F, _>(n, F::zero()..F::one())`. It is worth it where differences leave
    //! components undecided (converged, saturated or perfectly fitted states), where a tolerance below
    //! 1e-7 is wanted, and for many parameters: a check takes some hundreds of forwards' time, whatever
    //! their number, where differences take two forwards for each.
    //!
    //! # How it is judged
    //!
    //! The state is drawn a second time from the same seeds with the tape scalar
    //! [`Var`](crate::var::Var); if the draws differ, the check fails and says where. One forward and
    //! one sweep back (one for each output of a Jacobian or of a product with a tangent) give every
    //! component with a running error bound. No threshold is fixed but the tolerance. A component
    //!
    //! 1. *agrees* where difference and bound are both under the tolerance;
    //! 2. is *undecided* where rounding of the forward may explain it: the tape's bound of the worst
    //!    that its roundings could do together, or, where only that stands in the way, what they do when
    //!    the forward is recorded six times more with every operation rounded at random. Or where
    //!    rounding of the formula under test may: the spread of the gradient under changes by a few
    //!    roundings, or four roundings of each partial derivative on the tape. That of a function of a
    //!    pure number counts as of its value, for `1 - t * t` rounds so, and as of order one where it
    //!    is added to something, for `p - 1` does;
    //! 3. is held against a difference of the forward otherwise. A difference that excludes what the
    //!    tape says hands the whole state over to differences, with a note;
    //! 4. is judged at states aside as well, by the tape there, where a comparison ties, exactly or but
    //!    for rounding, or a function has no derivative. Right all around, it is a *kink*, and the report names
    //!    the operation. Wrong at one of them, it is *wrong*;
    //! 5. else is *wrong*.
    //!
    //! ```
    //! use gradcheck_runtime::var::Var;
    //! use gradcheck_runtime::{Settings, check_exact_at};
    //! use num_traits::Float;
    //!
    //! fn loss<F: Float>(z: &F) -> F {
    //!     (-*z).exp().ln_1p()
    //! }
    //! let slope = |z: &f64| 1.0 / (1.0 + (-z).exp()) - 1.0;
    //! let check = |z: f64, gradient: &dyn Fn(&f64) -> f64| {
    //!     let settings = Settings::new().tolerance(1e-12);
    //!     let (mut at, mut on_tape) = (z, Var::from(z));
    //!     let forwards = (loss::<f64>, loss::<Var>);
    //!     check_exact_at(&mut at, &mut on_tape, &settings, forwards, gradient)
    //! };
    //! assert_eq!(check(2.0, &slope).counts().agreed, 1);
    //! assert!(check(2.0, &|z| slope(z) + 1e-11).is_wrong());
    //! // All digits of `p - 1` are gone: nothing speaks against it, nothing proves it.
    //! assert_eq!(check(38.0, &slope).counts().undecided, 1);
    //! assert!(check(38.0, &|z| slope(z) + 1e-14).is_wrong());
    //! ```
    //!
    //! # Second derivatives
    //!
    //! [`gradient_of`](crate::var::gradient_of) and [`slope_of`](crate::var::slope_of) make the exact
    //! gradient of a generic forward, and its slope along a direction, functions that are generic
    //! themselves. The Jacobian of the first is the Hessian, the gradient of the second a Hessian-vector
    //! product, so that neither asks for a gradient written by hand:
    //!
    //! ```rust,test_harness
    //! use gradcheck_runtime::gradcheck;
    //! use ndarray::{Array1, Array2, NdFloat};
    //!
    //! fn cost<F: NdFloat>(x: &Array1<F>) -> F {
    //!     x.mapv(|x| x.exp()).sum() * x.sum()
    //! }
    //!
    //! #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
    //!     forward = gradient_of(&x, cost))]
    //! fn hessian(x: &Array1<f64>) -> Array2<f64> {
    //!     let e = x.mapv(f64::exp);
    //!     let mixed = Array2::from_shape_fn((x.len(), x.len()), |(i, j)| e[i] + e[j]);
    //!     mixed + Array2::from_diag(&(&e * x.sum()))
    //! }
    //!
    //! #[gradcheck(exact = F, tolerance = 1e-12, dims(n in 1..=4), x in normal::<F, _>(n),
    //!     v in normal::<F, _>(n), forward = slope_of(&x, &v, cost))]
    //! fn product(x: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
    //!     hessian(x).dot(v)
    //! }
    //! ```
    //!
    //! They take one place: a scalar, an array of any dimension, a `Vec` or `[F; N]`; a struct or a
    //! dictionary of parameters they do not. `gradient_of` runs the forward once for each parameter,
    //! all on one tape: some tens of parameters, not thousands. `slope_of` runs it once. A rounding of
    //! the slope at a tie of the forward is not told from one of the forward itself. Without `exact`
    //! they work too, by differences of an exact first derivative.
    //!
    //! # What it cannot see
    //!
    //! - `to_f64`, or `F::from(x)` of a variable by way of another type: the derivative is lost
    //!   there. Such states are differenced, with a note. So are a forward that outgrows the tape (1 GiB,
    //!   some nineteen million operations), one with another value on the tape, and one that rounds
    //!   in steps, unless a difference shows the slope that the tape has.
    //! - A loop that ends by a comparison, such as an iteration that starts at its fixed point: the tape
    //!   has the derivative of the steps taken. A difference along one random direction, taken at
    //!   every state, does not have it, and the state is differenced.
    //! - An `f32` gradient: the values compared are those of `f64`.
    //! - A gradient whose own noise exceeds its error, such as one that is itself a difference.
    //! - A convention at a kink. What is right all around, and near to that on it, is a kink, unless the forward has a derivative
    //!   along the parameter after all: the bias of a max pool moves all ties alike, and a gradient
    //!   sent to every one of them is wrong there.
    //!
    //! # What it costs
    //!
    //! One forward is recorded and swept for each state: 56 bytes and some ten to twenty nanoseconds for
    //! every operation, where one of a plain matrix product, which fills the vector units, takes a
    //! thirtieth of a nanosecond. That is nearly all of what a check takes in plain forwards. It is
    //! recorded again aside of a tie, and six times more where a component is off by more than its own
    //! rounding and less than the tape's bound.
}
