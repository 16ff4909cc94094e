//! One state under examination: its parameters, its outputs, and the calls made on it.
use std::collections::HashSet;
use std::sync::Arc;

use crate::case::{Case, Dim, Draw};
use crate::evidence::{Block, block_of};
use crate::failure::Failure;
use crate::layout::{self, Alignment, FirstChanged, SetAll, SetOne, SetRange, Tree, Values};
use crate::numeric::{Line, jump_and_scatter, moves_visibly};
use crate::panics::caught;
use crate::probe::{Asked, Cotangent, Expected, Fill, Probe, fill_value};
use crate::problem::Session;
use crate::random;
use crate::ray::{self, Home, Ray};
use crate::settings::Convention;

/// What is differentiated, and what its components are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A scalar, or the inner product of the outputs with the cotangent: a component for each
    /// parameter.
    Gradient,
    /// Every output: a component for each pair of output and parameter.
    Jacobian,
    /// Every output along the tangent: a component for each output.
    Tangent,
}

/// A state, its layout, and the counts of calls.
pub(crate) struct State<'p> {
    session: Box<dyn Session + 'p>,
    probe: Probe,
    case: Case,
    pub(crate) dims: Vec<Dim>,
    /// Names of the draws, and whether each can be simplified further.
    pub(crate) draws: Vec<(String, bool)>,
    /// Layout and values of the parameters.
    pub(crate) primal: Tree,
    pub(crate) form: Form,
    /// The parameters as they were drawn, where training has moved them and it is asked for.
    drawn: Option<Vec<f64>>,
    /// The blocks of components.
    pub(crate) blocks: Arc<[Block]>,
    /// The outputs at the state.
    base: Vec<f64>,
    output_roundoff: f64,
    outputs: Tree,
    /// What the outputs are contracted with; empty where they are not.
    weights: Vec<f64>,
    alignment: Alignment,
    /// Shapes of the gradient's blocks, which are to be the same at every call.
    gradient_shapes: Vec<Vec<usize>>,
    /// The parameters' own blocks, and the typical size of each.
    inputs: Arc<[Block]>,
    typical: Arc<[f64]>,
    /// No two blocks of the parameters have the same path.
    distinct: bool,
    pub(crate) forwards: usize,
    pub(crate) gradients: usize,
    pub(crate) notes: Vec<String>,
}

/// How far a descent of our own goes, in sizes of the parameters that it starts from.
const FOLLOWED: f64 = 3.0;
/// Share of its value that a parameter is moved by at most, where its gradient's rounding is
/// looked at: single precision reaches far.
const WIDEST_NUDGE: f64 = 1e-3;

/// How much of themselves all parameters lose from one look at a saturated gradient to the next.
const SHRINKS: f64 = 0.35;
/// Looks until nothing is left of them but a thousandth, and until a thirtieth is.
const SHRUNK: i32 = 16;
const SHRUNK_STAIRS: i32 = 8;

/// Two results of the same call may differ by a few roundings: sums in parallel.
const PARALLEL_SUMS: f64 = 64.0;

fn same(a: f64, b: f64, scale: f64, roundoff: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= PARALLEL_SUMS * roundoff * scale
}

fn changes_shape() -> Failure {
    Failure::Shape(vec!["it changes from one call to the next".to_owned()])
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0_f64, |m, v| m.max(v.abs()))
}

fn name_at(blocks: &[Block], index: usize) -> String {
    blocks
        .iter()
        .find(|block| block.range.contains(&index))
        .map_or_else(|| format!("component {index}"), |b| b.component(index - b.range.start))
}

impl<'p> State<'p> {
    /// Draws the state of a case, without its training steps.
    pub(crate) fn draw(
        session: Box<dyn Session + 'p>,
        case: &Case,
        convention: Convention,
    ) -> Result<State<'p>, Failure> {
        let mut state = State {
            session,
            probe: Probe {
                convention,
                ..Probe::new(random::hash_text(case.own_seed(), "cotangent"))
            },
            case: case.clone(),
            dims: Vec::new(),
            draws: Vec::new(),
            primal: Tree::default(),
            form: Form::Gradient,
            drawn: None,
            blocks: Arc::new([]),
            base: Vec::new(),
            output_roundoff: f64::EPSILON / 2.0,
            outputs: Tree::default(),
            weights: Vec::new(),
            alignment: Alignment::default(),
            gradient_shapes: Vec::new(),
            inputs: Arc::new([]),
            typical: Arc::new([]),
            distinct: false,
            forwards: 0,
            gradients: 0,
            notes: Vec::new(),
        };
        state.redraw()?;
        state.record_primal()?;
        Ok(state)
    }

    /// Lets go of the user's values.
    pub(crate) fn discard(mut self) -> Result<(), Failure> {
        caught("dropping the state", || self.session.discard())
    }

    fn redraw(&mut self) -> Result<(), Failure> {
        let mut draw = Draw::new(&self.case);
        let session = &mut self.session;
        caught("drawing the state", || session.draw(&mut draw))?;
        self.draws = draw.names.into_iter().zip(draw.exhausted).collect();
        self.dims = draw.dims;
        Ok(())
    }

    fn record_primal(&mut self) -> Result<(), Failure> {
        let mut tree = Tree::default();
        let session = &mut self.session;
        caught("reaching the `wrt` places", || session.places(&mut tree))?;
        self.primal = tree;
        self.inputs = self.primal.blocks();
        let mut paths = HashSet::new();
        self.distinct = self.primal.leaves.iter().all(|leaf| paths.insert(&leaf.steps[..]));
        self.probe.parameters = self.primal.values.len();
        self.probe.starts.clear();
        let mut last = None;
        for leaf in &self.primal.leaves {
            if leaf.steps.first() != last {
                self.probe.starts.push(leaf.range.start);
                last = leaf.steps.first();
            }
        }
        self.measure_scales();
        Ok(())
    }

    fn measure_scales(&mut self) {
        let values = &self.primal.values;
        self.typical =
            self.inputs.iter().map(|block| ray::typical(&values[block.range.clone()])).collect();
    }

    /// Blocks of very small parameters may be in small units, or zero but for rounding (what
    /// training has brought to where it belongs). The latter move the forward on no length like
    /// their own: they get the shortest on which it does, up to one.
    fn lengthen_scales(&mut self) {
        let roundoff = self.primal.roundoff().max(self.output_roundoff);
        let small = roundoff.powf(0.25);
        let mut typical = self.typical.to_vec();
        for (b, typical) in typical.iter_mut().enumerate() {
            if *typical <= 0.0 || *typical >= small || self.form == Form::Tangent {
                continue;
            }
            let lengths: Arc<[f64]> = vec![1.0; self.inputs.len()].into();
            let tag = random::hash(self.case.own_seed(), 0x7469_6e79);
            let ray = Ray::random(tag, &lengths, self.inputs[b].range.clone());
            let mut line = self.along(&ray);
            let mut length = *typical;
            while length < 1.0 && !moves_visibly(&mut line, length, 1.0 / small) {
                length *= 8.0;
            }
            if length < 1.0 {
                *typical = length;
            }
        }
        self.typical = typical.into();
    }

    /// The parameters, for the evidence of a state that is done with; none for components that
    /// are not one for each parameter.
    pub(crate) fn take_primal(&mut self) -> Vec<f64> {
        match self.form {
            Form::Gradient => std::mem::take(&mut self.primal.values),
            Form::Jacobian | Form::Tangent => Vec::new(),
        }
    }

    /// Keeps the parameters as they were drawn, for [`State::drawn`] after training.
    pub(crate) fn remember_draw(&mut self) {
        self.drawn = Some(self.primal.values.clone());
    }

    /// The parameters as they were drawn, before any training.
    pub(crate) fn drawn(&self) -> &[f64] {
        self.drawn.as_ref().unwrap_or(&self.primal.values)
    }

    /// The parameters, with what their scales are made from.
    pub(crate) fn home(&self) -> Home<'_> {
        Home { blocks: &self.inputs, values: &self.primal.values, typical: &self.typical }
    }

    fn store(&mut self, values: &[f64]) -> Result<(), Failure> {
        let session = &mut self.session;
        caught("setting the parameters", || session.places(&mut SetAll(values)))
    }

    /// Stores what `entry` makes of each parameter: its number, its value and its scale.
    fn store_each(&mut self, entry: impl Fn(usize, f64, f64) -> f64) -> Result<(), Failure> {
        let State { session, primal, inputs, typical, .. } = self;
        let mut source = |first: usize, piece: &mut [f64]| {
            let typical = typical[block_of(inputs, first)];
            for (i, value) in (first..).zip(piece) {
                let home = primal.values[i];
                *value = entry(i, home, ray::scale(home, typical));
            }
        };
        let range = 0..primal.values.len();
        caught("setting the parameters", || session.places(&mut SetRange::new(range, &mut source)))
    }

    /// The parameters of a range as they are at the state.
    fn restore(&mut self, range: std::ops::Range<usize>) -> Result<(), Failure> {
        if !self.session.is_alive() {
            return self.revive();
        }
        let (session, values) = (&mut self.session, &self.primal.values);
        let mut source = |first: usize, piece: &mut [f64]| {
            piece.copy_from_slice(&values[first..first + piece.len()]);
        };
        caught("setting the parameters", || session.places(&mut SetRange::new(range, &mut source)))
    }

    /// After a panic: the same state again.
    fn revive(&mut self) -> Result<(), Failure> {
        if !self.session.is_alive() {
            self.redraw()?;
        }
        let values = std::mem::take(&mut self.primal.values);
        let stored = self.store(&values);
        self.primal.values = values;
        stored
    }

    fn eval(&mut self, wants: bool, during: &'static str) -> Result<(), Failure> {
        self.probe.begin(wants);
        if wants {
            self.gradients += 1;
        } else {
            self.forwards += 1;
        }
        let (session, probe) = (&mut self.session, &mut self.probe);
        caught(during, || session.eval(probe))?;
        match self.probe.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn finite(what: &str, blocks: &[Block], values: &[f64]) -> Result<(), Failure> {
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Failure::NotFinite {
                what: what.to_owned(),
                component: name_at(blocks, i),
                value: values[i],
            }),
            None => Ok(()),
        }
    }

    /// The forward at the parameters as they stand, with the layout of its outputs.
    fn record_forward(&mut self) -> Result<Tree, Failure> {
        self.probe.record = true;
        let called = self.eval(false, "the forward");
        self.probe.record = false;
        called?;
        let mut outputs = Tree::default();
        outputs.graft("out", self.probe.output_tree.take().unwrap_or_default());
        if outputs.values.is_empty() {
            return Err(Failure::NoOutput);
        }
        Ok(outputs)
    }

    /// The user's gradient at the parameters as they stand, one value for each component.
    fn gradient(&mut self, fill: f64) -> Result<Vec<f64>, Failure> {
        self.probe.fill = fill;
        self.eval(true, "the gradient")?;
        if self.probe.repeated {
            return Ok(Vec::new());
        }
        self.read_gradient()
    }

    /// Some components of the user's gradient at the parameters as they stand; of a million of
    /// them the others need not be copied.
    fn gradient_at(&mut self, asked: &[usize]) -> Result<Vec<f64>, Failure> {
        let position = |&i: &usize| self.alignment.source.get(i).unwrap_or(usize::MAX);
        let positions = asked.iter().map(position).collect();
        let shapes = self.gradient_shapes.clone();
        self.probe.asked = Some(Asked { positions, shapes, values: None });
        self.probe.fill = 0.0;
        let called = self.eval(true, "the gradient");
        let picked = self.probe.asked.take().and_then(|asked| asked.values);
        called?;
        match picked {
            Some(Some(mut values)) => {
                let with_place = values.iter_mut().zip(asked);
                with_place.for_each(|(value, &i)| *value *= self.alignment.factor(i));
                Ok(values)
            }
            Some(None) => Err(changes_shape()),
            // It came in buffers.
            None => self.read_gradient().map(|all| asked.iter().map(|&i| all[i]).collect()),
        }
    }

    /// Some components of the user's gradient, or all, where each parameter is what `entry` makes
    /// of its number, its value and its scale; the state is put back.
    pub(crate) fn gradient_where(
        &mut self,
        asked: Option<&[usize]>,
        entry: impl Fn(usize, f64, f64) -> f64,
    ) -> Result<Vec<f64>, Failure> {
        let there = self.store_each(entry).and_then(|()| match asked {
            Some(asked) => self.gradient_at(asked),
            None => self.gradient(0.0),
        });
        self.revive().and(there)
    }

    /// The gradient of the last call, one value for each component.
    fn read_gradient(&mut self) -> Result<Vec<f64>, Failure> {
        let tree = self.gradient_tree();
        if !tree.leaves.iter().map(|leaf| &leaf.shape).eq(&self.gradient_shapes) {
            return Err(changes_shape());
        }
        Ok(self.alignment.read(tree.values))
    }

    /// The gradient of the last call, buffers hung below the names of their places.
    fn gradient_tree(&mut self) -> Tree {
        if let Some(tree) = self.probe.gradient.take() {
            return tree;
        }
        let mut parts = std::mem::take(&mut self.probe.parts);
        parts.sort_by_key(|(place, _)| *place);
        let mut tree = Tree::default();
        for (place, part) in parts {
            tree.graft(&self.place_name(place), part);
        }
        tree
    }

    fn place_name(&self, place: usize) -> String {
        let start = self.probe.starts.get(place).copied().unwrap_or(0);
        let leaf = self.primal.leaves.iter().find(|leaf| leaf.range.start == start);
        match leaf.and_then(|leaf| leaf.steps.first()) {
            Some(layout::OwnedStep::Field(name)) => name.clone(),
            _ => place.to_string(),
        }
    }

    pub(crate) fn components(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.range.end)
    }

    /// Runs forward and gradient, finds out what the components are, and makes sure that both
    /// are functions of their arguments. Returns the user's gradient.
    pub(crate) fn examine(&mut self, places: &str) -> Result<Vec<f64>, Failure> {
        if self.primal.values.is_empty() {
            return Err(Failure::Empty { places: places.to_owned() });
        }
        Self::finite("a parameter", &self.inputs, &self.primal.values)?;
        let outputs = self.record_forward()?;
        let output_blocks = outputs.blocks();
        Self::finite("the forward", &output_blocks, &outputs.values)?;
        self.output_roundoff = outputs.roundoff();
        self.base.clone_from(&outputs.values);
        self.repeat_forward(&output_blocks)?;

        // The first gradient call: what it is aligned with follows from what it used.
        self.probe.fill = 0.0;
        self.eval(true, "the gradient")?;
        self.same_outputs(&output_blocks)?;
        let scalar = outputs.leaves.len() == 1
            && outputs.leaves[0].shape.is_empty()
            && outputs.leaves[0].steps.len() == 1;
        let tree = self.gradient_tree();
        self.form = if self.probe.has_tangent {
            Form::Tangent
        } else if self.probe.has_cotangent || scalar {
            Form::Gradient
        } else {
            Form::Jacobian
        };
        self.weights = match (self.form, self.probe.has_cotangent) {
            (Form::Gradient, true) => self.probe.cotangent.clone(),
            (Form::Gradient, false) => vec![1.0],
            _ => Vec::new(),
        };
        self.outputs = outputs;
        self.align(&tree)?;
        let analytic = self.alignment.read(tree.values);
        Self::finite("the gradient", &self.blocks, &analytic)?;
        self.unchanged("the call")?;
        self.buffers(&analytic)?;
        let analytic = Arc::new(analytic);
        self.repeat_gradient(&analytic)?;
        self.lengthen_scales();
        // Nobody else holds it any more.
        Ok(Arc::unwrap_or_clone(analytic))
    }

    fn align(&mut self, gradient: &Tree) -> Result<(), Failure> {
        let convention = self.probe.convention;
        let aligned = match self.form {
            Form::Gradient => {
                self.blocks = self.inputs.clone();
                layout::align(&self.primal, gradient, convention)
            }
            Form::Jacobian => {
                self.blocks = self.jacobian_blocks();
                layout::align_jacobian(&self.outputs, &self.primal, gradient, convention)
            }
            Form::Tangent => {
                self.blocks = self.outputs.blocks();
                // A change of the outputs, the same in every convention.
                layout::align(&self.outputs, gradient, Convention::default())
            }
        };
        self.alignment = aligned.map_err(Failure::Shape)?;
        self.gradient_shapes = gradient.leaves.iter().map(|leaf| leaf.shape.clone()).collect();
        if !self.alignment.extra.is_empty() {
            let extra = self.alignment.extra.join(", ");
            self.notes.push(format!("the gradient also holds {extra}, which nothing asks for"));
        }
        Ok(())
    }

    fn jacobian_blocks(&self) -> Arc<[Block]> {
        let outputs = self.outputs.blocks();
        let rows = self.outputs.values.len();
        let mut start = 0;
        self.inputs
            .iter()
            .map(|input| {
                let columns = input.range.len();
                let range = start..start + rows * columns;
                start = range.end;
                Block {
                    name: format!("d out / d {}", input.name),
                    full_name: format!("d out / d {}", input.full_name),
                    shape: vec![rows, columns],
                    complex: false,
                    range,
                    roundoff: input.roundoff.max(self.output_roundoff),
                    jacobian: Some(Arc::new((outputs.to_vec(), input.clone()))),
                }
            })
            .collect()
    }

    /// Number of the forward's outputs.
    pub(crate) fn outputs_count(&self) -> usize {
        self.outputs.values.len()
    }

    /// The component of output `j` and parameter `i`.
    pub(crate) fn component(&self, i: usize, j: usize) -> usize {
        match self.form {
            Form::Gradient => i,
            Form::Tangent => j,
            Form::Jacobian => {
                let leaf = &self.inputs[block_of(&self.inputs, i)];
                let rows = self.outputs.values.len();
                leaf.range.start * rows + j * leaf.range.len() + (i - leaf.range.start)
            }
        }
    }

    /// Calls the forward so many times more, after [`State::examine`].
    pub(crate) fn stands_still(&mut self, times: usize) -> Result<(), Failure> {
        let blocks = self.outputs.blocks();
        (0..times).try_for_each(|_| self.repeat_forward(&blocks))
    }

    fn repeat_forward(&mut self, output_blocks: &[Block]) -> Result<(), Failure> {
        self.eval(false, "the forward, called again,")?;
        self.same_outputs(output_blocks)?;
        self.unchanged("the forward")
    }

    /// The last evaluation's outputs are those at the state.
    fn same_outputs(&self, output_blocks: &[Block]) -> Result<(), Failure> {
        let (now, scale) = (&self.probe.outputs, largest(&self.base));
        if now.len() != self.base.len() {
            return Err(Failure::NotDeterministic {
                what: "the forward".to_owned(),
                component: "the number of outputs".to_owned(),
                values: (self.base.len() as f64, now.len() as f64),
            });
        }
        let differs = |&i: &usize| !same(self.base[i], now[i], scale, self.output_roundoff);
        match (0..now.len()).find(differs) {
            Some(i) => Err(Failure::NotDeterministic {
                what: "the forward".to_owned(),
                component: name_at(output_blocks, i),
                values: (self.base[i], now[i]),
            }),
            None => Ok(()),
        }
    }

    /// The `wrt` places hold what they held before.
    fn unchanged(&mut self, during: &str) -> Result<(), Failure> {
        let (session, before) = (&mut self.session, &self.primal.values);
        let like = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let mut compared = FirstChanged::new(before, like);
        caught("reaching the `wrt` places", || session.places(&mut compared))?;
        let changed = match compared.changed {
            None if compared.seen != before.len() => Some((0, f64::NAN)),
            changed => changed,
        };
        match changed {
            Some((i, now)) => Err(Failure::Mutated {
                during: during.to_owned(),
                component: name_at(&self.inputs, i),
                values: (before[i], now),
            }),
            None => Ok(()),
        }
    }

    /// Buffers that are to be overwritten forget what they held; buffers that are to be added
    /// to keep it.
    fn buffers(&mut self, analytic: &[f64]) -> Result<(), Failure> {
        if self.probe.fills.is_empty() {
            return Ok(());
        }
        let fills = self.probe.fills.clone();
        let scale = largest(analytic).max(1.0);
        // A fill of the gradient's own size: what it hides, rounding hides too.
        let filled = self.gradient(scale)?;
        for &(place, fill) in &fills {
            let start = self.probe.starts.get(place).copied().unwrap_or(0);
            let end = self.probe.starts.get(place + 1).copied().unwrap_or(self.primal.values.len());
            let rows = if self.form == Form::Jacobian { self.outputs.values.len() } else { 1 };
            let components = start * rows..(end * rows).min(filled.len());
            let source = self.alignment.source.slice(components.clone());
            // Where the place's own buffer begins among the scalars of all.
            let first = source.first().unwrap_or(0);
            for (i, position) in components.zip(source.iter()) {
                let held = fill_value(position - first);
                let own = scale * held * self.alignment.factor(i);
                let slack = self.blocks.iter().find(|b| b.range.contains(&i));
                let roundoff = slack.map_or(1e-16, |b| b.roundoff);
                let fits = |wanted: f64| {
                    (filled[i] - wanted).abs() <= 64.0 * roundoff * (scale + own.abs())
                };
                let component = || name_at(&self.blocks, i);
                match fill {
                    Fill::Overwritten if fits(own) && !fits(analytic[i]) => {
                        return Err(Failure::Unwritten { component: component() });
                    }
                    Fill::Overwritten if !fits(analytic[i]) => {
                        return Err(Failure::ReadsBuffer { component: component() });
                    }
                    Fill::Added if !fits(own + analytic[i]) => {
                        let values = (own, analytic[i], filled[i]);
                        return Err(match fits(analytic[i]) {
                            true => Failure::Overwrites { component: component() },
                            false => Failure::AddsOther { component: component(), values },
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// A forward somewhere else, then the gradient here again: it must be what it was.
    fn repeat_gradient(&mut self, analytic: &Arc<Vec<f64>>) -> Result<(), Failure> {
        let seed = random::hash_text(self.case.own_seed(), "elsewhere");
        let aside = |i: usize, v: f64, s| v + 1e-3 * s * random::signed_magnitude(seed, i as u64);
        self.store_each(aside)?;
        // Whatever comes of it there, only what it leaves behind counts.
        let used = self.eval(false, "the forward").map(|()| self.probe.outputs.clone());
        if let (Ok(used), true) = (used, self.case.steps == 0) {
            self.remembers_nothing(&used, aside)?;
        }
        self.revive()?;
        let scale = largest(analytic);
        let roundoff = self.blocks.iter().map(|b| b.roundoff).fold(0.0, f64::max);
        if self.alignment.is_plain(analytic.len()) {
            // Compared where it lies: a million components need not be copied to see that.
            self.probe.expected = Some(Expected {
                values: analytic.clone(),
                shapes: self.gradient_shapes.clone(),
                slack: PARALLEL_SUMS * roundoff * scale,
            });
        }
        let again = self.gradient(0.0);
        self.probe.expected = None;
        if self.probe.repeated {
            return self.unchanged("the gradient");
        }
        let again = again?;
        let differs = |values: &[f64], i: usize| !same(analytic[i], values[i], scale, roundoff);
        let Some(i) = (0..again.len()).find(|&i| differs(&again, i)) else {
            return self.unchanged("the gradient");
        };
        let doubled = (0..again.len())
            .all(|i| (again[i] - 2.0 * analytic[i]).abs() <= 1e-6 * (scale + analytic[i].abs()));
        let failure = if doubled {
            Failure::Accumulates
        } else {
            Failure::NotDeterministic {
                what: "the gradient".to_owned(),
                component: name_at(&self.blocks, i),
                values: (analytic[i], again[i]),
            }
        };
        Err(failure)
    }

    /// A new state with the parameters that `aside` makes gives what one gave that was `used`
    /// before. What the user's rule has trained is not drawn again.
    fn remembers_nothing(
        &mut self,
        used: &[f64],
        aside: impl Fn(usize, f64, f64) -> f64,
    ) -> Result<(), Failure> {
        let session = &mut self.session;
        caught("dropping the state", || session.discard())?;
        self.redraw()?;
        self.store_each(aside)?;
        if self.eval(false, "the forward").is_err() {
            return Ok(());
        }
        let new = &self.probe.outputs;
        let scale = largest(new).max(largest(used));
        let differs = |&i: &usize| !same(new[i], used[i], scale, self.output_roundoff);
        match (0..new.len().min(used.len())).find(differs) {
            Some(i) => Err(Failure::Remembers {
                component: name_at(&self.outputs.blocks(), i),
                values: (new[i], used[i]),
            }),
            None => Ok(()),
        }
    }

    /// What the user's own arithmetic leaves open in each of the components asked about: as a
    /// floor some units of rounding of its size ([`State::sizes`]), and of the outputs over the
    /// parameter's scale, rounding of what the user's function computed on the way; and what shows
    /// of it, the spread of the gradient around the state. A forward that rounds to `inner` inside has the slope
    /// of its rounded parts, and nobody's gradient is that one's.
    pub(crate) fn analytic_bound(
        &mut self,
        asked: &[usize],
        sizes: &[f64],
        effect: f64,
        inner: f64,
    ) -> Vec<(f64, f64)> {
        let roundoff = self.blocks.iter().map(|b| b.roundoff).fold(0.0, f64::max);
        let mut floor: Vec<f64> = sizes.iter().map(|size| 16.0 * roundoff * size).collect();
        if inner > roundoff && self.form == Form::Gradient {
            // Rounding inside is as large as what the parameters do to the outputs, whichever of
            // them does most.
            for (floor, &i) in floor.iter_mut().zip(asked) {
                *floor = floor.max(64.0 * inner * effect / self.scale_of(i));
            }
        }
        if self.form == Form::Gradient {
            let outputs = self.output_size();
            for (floor, &i) in floor.iter_mut().zip(asked) {
                *floor = floor.max(4.0 * roundoff.max(inner) * outputs / self.scale_of(i));
            }
        }
        let widest = (WIDEST_NUDGE / self.primal.roundoff()).min(1e6);
        let zeros = self.form == Form::Gradient;
        let spread = self.spread(asked, [256.0, 1e4_f64.min(widest), widest], zeros);
        floor.into_iter().zip(spread).collect()
    }

    /// How large the numbers may be that each of the components asked about is the sum of: as
    /// large as the largest component of these gradients, though no larger than lets the parameter
    /// do a thousand times their `effect`. Across units sizes mean nothing, effects do.
    pub(crate) fn sizes(&self, gradients: [&[f64]; 2], effect: f64, asked: &[usize]) -> Vec<f64> {
        let largest = gradients.map(largest).into_iter().fold(0.0, f64::max);
        let size = |i: usize| match self.form {
            Form::Gradient => largest.min(1e3 * effect / self.scale_of(i)),
            Form::Jacobian | Form::Tangent => largest,
        };
        asked.iter().map(|&i| size(i)).collect()
    }

    /// The most that a parameter, moved by its scale, does to the outputs with one of these
    /// gradients; 0 where the components are not one for each parameter.
    pub(crate) fn effect(&self, gradients: [&[f64]; 2]) -> f64 {
        match self.form {
            Form::Gradient => gradients.map(|g| self.effect_of(g)).into_iter().fold(0.0, f64::max),
            Form::Jacobian | Form::Tangent => 0.0,
        }
    }

    fn effect_of(&self, gradient: &[f64]) -> f64 {
        let of_block = |(block, &typical): (&Block, &f64)| {
            let values = &self.primal.values[block.range.clone()];
            let own = values.iter().zip(&gradient[block.range.clone()]);
            own.map(|(&v, g)| (g * ray::scale(v, typical)).abs()).fold(0.0, f64::max)
        };
        self.inputs.iter().zip(&*self.typical).map(of_block).fold(0.0, f64::max)
    }

    /// How far apart the gradients are at points a few units of rounding from the state, for each
    /// of the components asked about: four times the distance between the furthest two, for the
    /// first of the `reaches`, in units of rounding, that moves a component.
    ///
    /// The gradient at the state itself has no part in it. Were it one of its own kind there, the
    /// jump would excuse itself. Where no nudge moves a component, wider ones follow, for a
    /// gradient that has lost its digits moves in steps. A zero has no digits of its own to move in,
    /// and may be a kink: where what jumps is judged aside, `zeros` move by digits of their scale.
    pub(crate) fn spread(&mut self, asked: &[usize], reaches: [f64; 3], zeros: bool) -> Vec<f64> {
        let inputs = self.inputs.clone();
        let (mut bound, mut still) = (vec![0.0; asked.len()], vec![true; asked.len()]);
        for (round, reach) in reaches.into_iter().enumerate() {
            let mut spread: Option<Vec<(f64, f64)>> = None;
            for nudge in 0..8 {
                let tag = 0x6e75_6467 + 16 * round as u64 + nudge;
                let seed = random::hash(self.case.own_seed(), tag);
                let nudged = |i: usize, v: f64, scale: f64| {
                    let roundoff = inputs[block_of(&inputs, i)].roundoff;
                    let size = if v == 0.0 && zeros { scale } else { v };
                    v + reach * roundoff * size * random::signed_magnitude(seed, i as u64)
                };
                let Ok(moved) = self.gradient_where(Some(asked), nudged) else { continue };
                match &mut spread {
                    None => spread = Some(moved.into_iter().map(|g| (g, g)).collect()),
                    Some(spread) => {
                        for ((low, high), g) in spread.iter_mut().zip(moved) {
                            (*low, *high) = (low.min(g), high.max(g));
                        }
                    }
                }
            }
            for (k, (low, high)) in spread.into_iter().flatten().enumerate() {
                if still[k] && high > low {
                    bound[k] = 4.0 * (high - low);
                    still[k] = false;
                }
            }
            if !still.contains(&true) {
                break;
            }
        }
        bound
    }

    /// The largest that each of the components asked about is where all parameters have shrunk to
    /// some share of themselves. What saturates here is as large there as the numbers that it is
    /// the difference of.
    pub(crate) fn sizes_shrunk(&mut self, asked: &[usize]) -> Vec<f64> {
        let mut sizes = vec![0.0_f64; asked.len()];
        for look in 0..=SHRUNK {
            let left = if look < SHRUNK { (1.0 - SHRINKS).powi(look + 1) } else { 0.0 };
            let there = self.gradient_where(Some(asked), |_, v, _| v * left);
            for (size, g) in sizes.iter_mut().zip(there.unwrap_or_default()) {
                *size = size.max(if g.is_finite() { g.abs() } else { 0.0 });
            }
        }
        sizes
    }

    /// What component `i` of the user's gradient has lost where it moves in stairs while all
    /// parameters shrink: some of the highest of those whose heights are in the `range`, or of the
    /// scatter that many of them add up to; 0 where there are none. Near one, `p - 1` moves in
    /// units of the rounding of one.
    pub(crate) fn lost_in_stairs(&mut self, i: usize, range: std::ops::Range<f64>) -> f64 {
        lost_in_stairs(&mut Shrinking { state: self, component: i }, range)
    }

    /// The same of the forward itself, which terms that are far larger may round.
    pub(crate) fn forward_lost_in_stairs(&mut self, range: std::ops::Range<f64>) -> f64 {
        let shrinking = Ray::listed(self.primal.values.iter().map(|v| -v).collect());
        lost_in_stairs(&mut self.along(&shrinking), range)
    }

    /// How large each component of the gradient is, or each of those asked about, where every parameter has moved by half its
    /// scale, to one side and the other: the smaller of the two. Zero where there is none.
    ///
    /// No larger than what a step of a thousandth of the scale comes to, were it to grow as far in
    /// proportion: an exponential function half a scale away says nothing of its size here.
    pub(crate) fn around(&mut self, asked: Option<&[usize]>) -> Vec<f64> {
        const NEAR: f64 = 1e-3;
        const FAR: f64 = 0.5;
        let far = self.sizes_aside(asked, FAR, f64::min);
        let near = self.sizes_aside(asked, NEAR, f64::max);
        far.into_iter().zip(near).map(|(far, near)| far.min(near * (FAR / NEAR))).collect()
    }

    /// The sizes of the gradient's components where every parameter has moved by a part of its
    /// scale, of one side and the other together.
    fn sizes_aside(
        &mut self,
        asked: Option<&[usize]>,
        part: f64,
        together: fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let seed = random::hash(self.case.own_seed(), 0x6172_6f75);
        let mut sizes: Option<Vec<f64>> = None;
        for side in [part, -part] {
            let aside =
                |i: usize, v: f64, s| v + side * (random::signed_magnitude(seed, i as u64) * s);
            let there = self.gradient_where(asked, aside).unwrap_or_default();
            let there = there.iter().map(|g| if g.is_finite() { g.abs() } else { 0.0 });
            sizes = Some(match sizes {
                None => there.collect(),
                Some(sizes) => sizes.into_iter().zip(there).map(|(a, b)| together(a, b)).collect(),
            });
        }
        let mut sizes = sizes.unwrap_or_default();
        sizes.resize(asked.map_or(self.alignment.source.len(), <[usize]>::len), 0.0);
        sizes
    }

    /// Moves the state off its kinks: every parameter by about a thousandth of its scale, and
    /// returns the gradient there. [`State::move_back`] undoes it.
    pub(crate) fn move_aside(&mut self, trial: u64) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let seed = random::hash(self.case.own_seed(), 0x6173_6964 + trial);
        let aside: Vec<f64> = (0..self.primal.values.len())
            .map(|i| {
                let by = 2e-3 * self.scale_of(i) * random::signed_magnitude(seed, i as u64);
                self.primal.values[i] + by
            })
            .collect();
        let home = std::mem::replace(&mut self.primal.values, aside);
        let gradient = self.settle_here();
        match gradient {
            Ok(gradient) => Ok((home, gradient)),
            Err(failure) => {
                self.move_back(home)?;
                Err(failure)
            }
        }
    }

    /// Takes the parameters as they stand for the state: their outputs and their gradient.
    fn settle_here(&mut self) -> Result<Vec<f64>, Failure> {
        self.revive()?;
        // Read back as the scalar type rounded them; not kept beside the user's own gradient.
        let count = std::mem::take(&mut self.primal.values).len();
        let gradient = self.gradient(0.0);
        let mut stored = Vec::with_capacity(count);
        let session = &mut self.session;
        if session.is_alive() {
            caught("reaching the `wrt` places", || session.places(&mut Values(&mut stored)))?;
        }
        self.primal.values = stored;
        let gradient = gradient?;
        self.base.clone_from(&self.probe.outputs);
        Self::finite("the gradient", &self.blocks, &gradient)?;
        Ok(gradient)
    }

    /// The means of component `i` of the user's gradient along its own parameter, up to `width`
    /// to the left and to the right, each beside the difference of the forward over the same way:
    /// one number, kinks or none, where the gradient is right. `None` where any is not finite.
    pub(crate) fn means_and_slopes(&mut self, i: usize, width: f64) -> Option<[(f64, f64); 2]> {
        // Trapezoids, halved where the gradient jumps most.
        const FIRST: usize = 8;
        const HALVINGS: usize = 24;
        let mut line = self.coordinate(i);
        let mut half = |end: f64| {
            let mut at = |t: f64| Some((t, line.gradient(t)?));
            let mut points = Vec::with_capacity(FIRST + HALVINGS + 1);
            for k in 0..=FIRST {
                points.push(at(end * (k as f64 / FIRST as f64))?);
            }
            for _ in 0..HALVINGS {
                let error = |k: usize| {
                    let (a, b): ((f64, f64), (f64, f64)) = (points[k - 1], points[k]);
                    ((b.1 - a.1) * (b.0 - a.0)).abs()
                };
                let worst = (1..points.len()).max_by(|&k, &l| error(k).total_cmp(&error(l)))?;
                let middle = at(0.5 * (points[worst - 1].0 + points[worst].0))?;
                points.insert(worst, middle);
            }
            let pieces = points.windows(2).map(|p| 0.5 * (p[0].1 + p[1].1) * (p[1].0 - p[0].0));
            let mean = pieces.sum::<f64>() / end;
            let (mut y, mut floor) = ([0.0], [0.0]);
            let taken = line.sample(end, &mut y, &mut floor)?;
            mean.is_finite().then_some((mean, y[0] / taken))
        };
        Some([half(-width)?, half(width)?])
    }

    /// Back to the parameters that [`State::move_aside`] gave.
    pub(crate) fn move_back(&mut self, home: Vec<f64>) -> Result<(), Failure> {
        self.primal.values = home;
        self.revive()?;
        self.eval(false, "the forward")?;
        self.base.clone_from(&self.probe.outputs);
        Ok(())
    }

    /// Parameters or outputs of single precision.
    pub(crate) fn is_coarse(&self) -> bool {
        self.primal.roundoff().max(self.output_roundoff) > 1e-10
    }

    /// Number of functions that a line has: the contracted one, or every output.
    fn lines_outputs(&self) -> usize {
        if self.weights.is_empty() { self.base.len() } else { 1 }
    }

    /// The outputs of the last forward as changes from the state, contracted where they are.
    fn contract(&self, y: &mut [f64], floor: &mut [f64]) -> bool {
        let (now, u) = (&self.probe.outputs, self.output_roundoff);
        // Below the normal numbers rounding no longer shrinks with the value.
        let least = if u > 1e-10 { f64::from(f32::from_bits(4)) } else { f64::from_bits(4) };
        if now.len() != self.base.len() || now.iter().any(|v| !v.is_finite()) {
            return false;
        }
        if self.weights.is_empty() {
            for (j, (now, base)) in now.iter().zip(&self.base).enumerate() {
                y[j] = now - base;
                floor[j] = (u * now.abs().max(base.abs())).max(least);
            }
            return true;
        }
        let (mut sum, mut moved, mut all) = (0.0, 0.0_f64, 0.0_f64);
        for ((now, base), weight) in now.iter().zip(&self.base).zip(&self.weights) {
            let change = now - base;
            let rounding = weight * u * now.abs().max(base.abs());
            // `hypot`: squares of the largest and smallest numbers are none.
            all = all.hypot(rounding);
            if change != 0.0 {
                sum += weight * change;
                moved = moved.hypot(rounding);
            }
        }
        y[0] = sum;
        floor[0] = if moved > 0.0 { moved } else { all }.max(least);
        true
    }

    /// The line through the state along coordinate `i`.
    pub(crate) fn coordinate(&mut self, i: usize) -> Coordinate<'_, 'p> {
        let leaf = block_of(&self.inputs, i);
        let (roundoff, scale) = (self.inputs[leaf].roundoff, self.scale_of(i));
        let place = Place { leaf, index: i - self.inputs[leaf].range.start };
        Coordinate {
            roundoff,
            scale,
            home: self.primal.values[i],
            state: self,
            place,
            moved: false,
        }
    }

    /// The line through the state along a direction.
    pub(crate) fn along<'s>(&'s mut self, ray: &'s Ray) -> Direction<'s, 'p> {
        let roundoff = self.primal.roundoff();
        Direction { state: self, ray, roundoff, moved: false }
    }

    /// A direction through all parameters, of random sign and magnitude, scaled as they are.
    pub(crate) fn random_direction(&self, tag: u64) -> Ray {
        let seed = random::hash(self.case.own_seed(), tag);
        Ray::scaled(seed, 0..self.primal.values.len())
    }

    /// The line on which the forward's noise is measured: the tangent, or all parameters at once.
    pub(crate) fn noise_direction(&self) -> Ray {
        match self.form {
            Form::Tangent => self.along_tangent(),
            Form::Gradient | Form::Jacobian => self.random_direction(0x6e6f_6973),
        }
    }

    /// The tangent that the user's function was given.
    pub(crate) fn tangent(&self) -> &[f64] {
        &self.probe.tangent
    }

    /// The same as a direction.
    pub(crate) fn along_tangent(&self) -> Ray {
        Ray::listed(self.probe.tangent.clone())
    }

    /// The analytic slope against the numeric one, along a random direction through one block.
    /// Six forwards; `None` where there is no such block or no finite difference.
    pub(crate) fn block_probe(&mut self, analytic: &[f64], block: &str) -> Option<BlockProbe> {
        let found = self.blocks.iter().find(|b| b.full_name == block)?.clone();
        let ray = match self.form {
            Form::Tangent => self.along_tangent(),
            Form::Jacobian => self.random_direction(0x7072_6f62),
            Form::Gradient => self.random_direction(0x7072_6f62).within(found.range.clone()),
        };
        let outputs = self.lines_outputs();
        let mut slopes = vec![0.0; outputs];
        match self.form {
            Form::Tangent => slopes.copy_from_slice(analytic),
            Form::Gradient => {
                slopes[0] = ray.product(self.home(), analytic).0;
            }
            Form::Jacobian => {
                for i in ray.range.clone() {
                    let entry = ray.entry(self.home(), i);
                    for (j, slope) in slopes.iter_mut().enumerate() {
                        *slope += analytic[self.component(i, j)] * entry;
                    }
                }
            }
        }
        let steps = if self.is_coarse() { [1e-2, 3e-3, 1e-3] } else { [1e-4, 1e-5, 1e-6] };
        let mut rows = Vec::new();
        let (mut y, mut floor) = (vec![0.0; outputs], vec![0.0; outputs]);
        for h in steps {
            let mut line = self.along(&ray);
            line.sample(h, &mut y, &mut floor)?;
            let plus = y.clone();
            line.sample(-h, &mut y, &mut floor)?;
            rows.push((0..outputs).map(|j| (plus[j] - y[j]) / (2.0 * h)).collect::<Vec<f64>>());
        }
        let candidates =
            (0..outputs).filter(|&j| self.form != Form::Tangent || found.range.contains(&j));
        candidates
            .map(|j| BlockProbe {
                off: (slopes[j] - rows[1][j]).abs(),
                bound: (rows[0][j] - rows[1][j]).abs().max((rows[2][j] - rows[1][j]).abs())
                    + f64::MIN_POSITIVE,
            })
            .max_by(|a, b| (a.off / a.bound).total_cmp(&(b.off / b.bound)))
    }

    /// Parameters that are exactly zero.
    pub(crate) fn zeros(&self) -> usize {
        self.primal.values.iter().filter(|&&v| v == 0.0).count()
    }

    pub(crate) fn case(&self) -> &Case {
        &self.case
    }

    /// What the outputs are contracted with.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Whether outputs computed otherwise, each known to within its error, are those at the
    /// state: to a few digits, or to what rounding has left of them.
    pub(crate) fn outputs_match(&self, outputs: &[f64], errors: &[f64]) -> bool {
        let slack = 1e-9 * largest(&self.base);
        let same = |(i, base): (usize, &f64)| {
            (outputs[i] - base).abs() <= slack + 1e-6 * base.abs() + 2.0 * errors[i]
        };
        outputs.len() == self.base.len() && self.base.iter().enumerate().all(same)
    }

    /// Seed of everything random about this state.
    pub(crate) fn seed(&self) -> u64 {
        self.case.own_seed()
    }

    /// The largest output, as it enters the derivative.
    pub(crate) fn output_size(&self) -> f64 {
        match self.weights.is_empty() {
            true => largest(&self.base),
            false => {
                self.base.iter().zip(&self.weights).fold(0.0, |m, (o, w)| (o * w).abs().max(m))
            }
        }
    }

    /// The length on which parameter `i` is of order one.
    pub(crate) fn scale_of(&self, i: usize) -> f64 {
        self.home().scale(i)
    }

    /// Unit roundoff of parameter `i`.
    pub(crate) fn roundoff_of(&self, i: usize) -> f64 {
        self.inputs[block_of(&self.inputs, i)].roundoff
    }

    /// Root mean square of each block's scales.
    pub(crate) fn block_scales(&self) -> Arc<[f64]> {
        let of_block = |(block, &typical): (&Block, &f64)| {
            let values = &self.primal.values[block.range.clone()];
            let scales = values.iter().map(|&v| ray::scale(v, typical));
            crate::evidence::norm(scales) / (block.range.len() as f64).sqrt()
        };
        self.inputs.iter().zip(&*self.typical).map(of_block).collect()
    }

    pub(crate) fn output_roundoff(&self) -> f64 {
        self.output_roundoff
    }

    /// The value to be descended: the forward, or half the squared output where it has several.
    fn objective(&self) -> f64 {
        match (&self.base[..], self.form, self.probe.has_cotangent) {
            ([value], Form::Gradient, false) => *value,
            (values, ..) => 0.5 * values.iter().map(|v| v * v).sum::<f64>(),
        }
    }

    /// The value that descent lowers, at the state; and whether it is the scalar forward itself.
    pub(crate) fn cost(&self) -> (f64, bool) {
        let scalar = self.form == Form::Gradient && !self.probe.has_cotangent;
        (self.objective(), scalar)
    }

    /// Moves the parameters to where `steps` steps of descent lead, with the user's own gradient.
    pub(crate) fn descend(&mut self, steps: usize, rate: Option<f64>) -> Result<(), Failure> {
        let from = self.probe.cotangent_from;
        self.probe.cotangent_from = Cotangent::Output;
        let descended = self.descend_with(steps, rate);
        self.probe.cotangent_from = from;
        descended?;
        self.measure_scales();
        Ok(())
    }

    fn descend_with(&mut self, steps: usize, rate: Option<f64>) -> Result<(), Failure> {
        let mut step = rate.unwrap_or(0.1);
        let mut slope = self.descent(0)?;
        let mut value = self.objective();
        // A forward without a minimum is not followed to where nothing is left of its digits.
        let size = |values: &[f64]| crate::evidence::norm(values.iter().copied());
        let start = size(&self.primal.values).max((self.primal.values.len() as f64).sqrt());
        let mut reach = FOLLOWED * start;
        for done in 0..steps {
            if reach < 1e-3 * start {
                break;
            }
            let home = self.primal.values.clone();
            let mut halvings = 0;
            if rate.is_none() {
                while step * size(&slope) > reach {
                    step *= 0.5;
                }
            }
            loop {
                let moving = self.primal.values.iter_mut().zip(home.iter().zip(&slope));
                moving.for_each(|(value, (v, g))| *value = v - step * g);
                if rate.is_some() {
                    drop(std::mem::take(&mut slope));
                    slope = self.descent(done + 1)?;
                    break;
                }
                let arrived = self.revive().and_then(|()| self.eval(false, "the forward"));
                self.base.clone_from(&self.probe.outputs);
                if arrived.is_ok() && self.objective() < value {
                    reach -= step * size(&slope);
                    drop(std::mem::take(&mut slope));
                    match self.descent(done + 1) {
                        Ok(there) => slope = there,
                        Err(Failure::Diverged { .. }) => {
                            self.primal.values = home;
                            return self.revive();
                        }
                        Err(failure) => return Err(failure),
                    }
                    step *= 2.0;
                    break;
                }
                step *= 0.5;
                halvings += 1;
                if halvings > 40 {
                    // Nothing decreases any more: as trained as it gets.
                    self.primal.values = home;
                    return self.revive();
                }
            }
            value = self.objective();
        }
        Ok(())
    }

    /// The gradient of the objective at the parameters as they stand.
    fn descent(&mut self, step: usize) -> Result<Vec<f64>, Failure> {
        let diverged = |what: &str| Failure::Diverged { step, what: what.to_owned() };
        if self.primal.values.iter().any(|v| !v.is_finite()) {
            return Err(diverged("a parameter"));
        }
        let gradient = self.settle_here().map_err(|failure| match failure {
            Failure::NotFinite { what, .. } if step > 0 => diverged(&what),
            other => other,
        })?;
        if self.base.iter().any(|v| !v.is_finite()) {
            return Err(diverged("the forward"));
        }
        if self.form != Form::Jacobian {
            return Ok(gradient);
        }
        let mut slope = vec![0.0; self.primal.values.len()];
        for (i, slope) in slope.iter_mut().enumerate() {
            for j in 0..self.base.len() {
                *slope += gradient[self.component(i, j)] * self.base[j];
            }
        }
        Ok(slope)
    }

    /// Runs the user's own update rule for `steps` steps, and takes the parameters it leads to.
    pub(crate) fn train(&mut self, steps: usize) -> Result<(), Failure> {
        self.redraw()?;
        self.probe.steps = steps;
        self.probe.fill = 0.0;
        let from = self.probe.cotangent_from;
        self.probe.cotangent_from = Cotangent::Output;
        let (session, probe) = (&mut self.session, &mut self.probe);
        let trained = caught("the training run", || session.train(probe));
        self.probe.cotangent_from = from;
        self.gradients += steps;
        trained?;
        self.record_primal()?;
        match self.primal.values.iter().position(|v| !v.is_finite()) {
            Some(i) => {
                Err(Failure::Diverged { step: steps, what: name_at(&self.primal.blocks(), i) })
            }
            None => Ok(()),
        }
    }
}

/// How far the analytic slope is from the numeric one, and what the steps leave open.
pub(crate) struct BlockProbe {
    pub(crate) off: f64,
    pub(crate) bound: f64,
}

/// Where one parameter stands: the number of its block, and its own number there.
#[derive(Clone, Copy)]
struct Place {
    leaf: usize,
    index: usize,
}

/// A line along one parameter. It is put back when the line is dropped.
pub(crate) struct Coordinate<'s, 'p> {
    state: &'s mut State<'p>,
    place: Place,
    home: f64,
    scale: f64,
    roundoff: f64,
    moved: bool,
}

impl Coordinate<'_, '_> {
    /// The user's gradient at `t`, with respect to this parameter.
    fn gradient(&mut self, t: f64) -> Option<f64> {
        self.moved = true;
        self.set(self.home + t).ok()?;
        let i = self.state.inputs[self.place.leaf].range.start + self.place.index;
        self.state.gradient(0.0).ok()?.get(i).copied()
    }
    fn set(&mut self, value: f64) -> Result<f64, Failure> {
        let State { session, primal, distinct, .. } = &mut *self.state;
        let leaf = &primal.leaves[self.place.leaf];
        let mut one = match distinct {
            true => SetOne::below(&leaf.steps, self.place.index, value),
            false => SetOne::counted(leaf.range.start + self.place.index, value),
        };
        caught("setting a parameter", || session.places(&mut one))?;
        Ok(one.value)
    }
}

impl Line for Coordinate<'_, '_> {
    fn outputs(&self) -> usize {
        self.state.lines_outputs()
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.moved = true;
        let stored = self.set(self.home + t).ok()?;
        if self.state.eval(false, "the forward").is_err() {
            self.moved = self.state.revive().is_err();
            return None;
        }
        self.state.contract(y, floor).then_some(stored - self.home)
    }
    fn scale(&self) -> f64 {
        self.scale
    }
    fn roundoff(&self) -> f64 {
        self.roundoff
    }
    fn magnitude(&self) -> f64 {
        self.home.abs()
    }
}

impl Drop for Coordinate<'_, '_> {
    fn drop(&mut self) {
        if self.moved {
            // What cannot be set now cannot be set at the next step either, which says so.
            let _ = self.set(self.home);
        }
    }
}

/// What a value has lost that moves in stairs along a line on which the parameters shrink to
/// nothing at 1, see [`State::lost_in_stairs`].
fn lost_in_stairs(line: &mut dyn Line, range: std::ops::Range<f64>) -> f64 {
    // Stretches that stairs must be met on, and that are looked at of each share.
    const MET: usize = 2;
    const LOOKS: i32 = 3;
    let (mut met, mut lost) = (0, 0.0_f64);
    for share in 0..=SHRUNK_STAIRS {
        let from = 1.0 - (1.0 - SHRINKS).powi(share);
        for look in 0..LOOKS {
            let to = from + (1.0 - from) * 0.01 * 0.3_f64.powi(look);
            let Some((height, scatter)) = jump_and_scatter(line, [from, to]) else { continue };
            if range.contains(&height) {
                met += 1;
                lost = lost.max(4.0 * height).max(8.0 * scatter.min(32.0 * height));
            }
        }
        if met >= MET {
            return lost;
        }
    }
    0.0
}

/// One component of the user's gradient while all parameters shrink: at 0 they are what they are,
/// at 1 nothing. They are put back after each look.
struct Shrinking<'s, 'p> {
    state: &'s mut State<'p>,
    component: usize,
}

impl Line for Shrinking<'_, '_> {
    fn outputs(&self) -> usize {
        1
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        let there = self.state.gradient_where(Some(&[self.component]), |_, v, _| v * (1.0 - t));
        let g = there.ok()?.first().copied().filter(|g| g.is_finite())?;
        (y[0], floor[0]) = (g, self.state.primal.roundoff() * g.abs());
        Some(t)
    }
    fn scale(&self) -> f64 {
        1.0
    }
    fn roundoff(&self) -> f64 {
        self.state.primal.roundoff()
    }
    fn magnitude(&self) -> f64 {
        1.0
    }
}

/// A line along many parameters at once. They are put back when the line is dropped.
pub(crate) struct Direction<'s, 'p> {
    state: &'s mut State<'p>,
    ray: &'s Ray,
    roundoff: f64,
    moved: bool,
}

impl Direction<'_, '_> {
    fn shift(&mut self, t: f64) -> Result<(), Failure> {
        let State { session, primal, inputs, typical, .. } = &mut *self.state;
        let (ray, home) = (self.ray, Home { blocks: inputs, values: &primal.values, typical });
        let mut source = |first: usize, piece: &mut [f64]| {
            ray.fill(home, first, piece);
            for (value, home) in piece.iter_mut().zip(&home.values[first..]) {
                *value = home + t * *value;
            }
        };
        let mut shifted = SetRange::new(ray.range.clone(), &mut source);
        caught("setting the parameters", || session.places(&mut shifted))
    }
}

impl Line for Direction<'_, '_> {
    fn outputs(&self) -> usize {
        self.state.lines_outputs()
    }
    fn sample(&mut self, t: f64, y: &mut [f64], floor: &mut [f64]) -> Option<f64> {
        self.moved = true;
        self.shift(t).ok()?;
        if self.state.eval(false, "the forward").is_err() {
            self.moved = self.state.revive().is_err();
            return None;
        }
        self.state.contract(y, floor).then_some(t)
    }
    fn scale(&self) -> f64 {
        1.0
    }
    fn roundoff(&self) -> f64 {
        self.roundoff
    }
    fn magnitude(&self) -> f64 {
        1.0
    }
}

impl Drop for Direction<'_, '_> {
    fn drop(&mut self) {
        if self.moved {
            let _ = self.state.restore(self.ray.range.clone());
        }
    }
}
