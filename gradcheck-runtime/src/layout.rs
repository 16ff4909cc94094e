//! The shape of a flattened value, and how the gradient's shape answers the parameters'.
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use crate::evidence::{Block, extents};
use crate::flatten::{Flatten, Scalars, ScalarsMut, Step, Visitor, VisitorMut};
use crate::settings::Convention;

/// [`Step`], owned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OwnedStep {
    Field(String),
    Key(String),
    Index(usize),
}

impl From<Step<'_>> for OwnedStep {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Field(name) => OwnedStep::Field(name.to_owned()),
            Step::Key(name) => OwnedStep::Key(name.to_owned()),
            Step::Index(i) => OwnedStep::Index(i),
        }
    }
}

impl OwnedStep {
    /// Whether it is this step.
    fn is(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (OwnedStep::Field(a), Step::Field(b)) | (OwnedStep::Key(a), Step::Key(b)) => a == b,
            (OwnedStep::Index(a), Step::Index(b)) => *a == b,
            _ => false,
        }
    }

    /// The name that can be looked for on the other side; tuple fields and elements have none.
    fn name(&self) -> Option<&str> {
        match self {
            OwnedStep::Field(name) if name.starts_with(|c: char| c.is_ascii_digit()) => None,
            OwnedStep::Field(name) | OwnedStep::Key(name) => Some(name),
            OwnedStep::Index(_) => None,
        }
    }

    fn write(&self, path: &mut String) {
        let _ = match self {
            OwnedStep::Field(name) if path.is_empty() => write!(path, "{name}"),
            OwnedStep::Field(name) => write!(path, ".{name}"),
            OwnedStep::Key(key) if path.is_empty() => write!(path, "{key}"),
            OwnedStep::Key(key) if is_identifier(key) => write!(path, ".{key}"),
            OwnedStep::Key(key) => write!(path, "[{key:?}]"),
            OwnedStep::Index(i) => write!(path, "[{i}]"),
        };
    }
}

fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// One block of scalars and the steps that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) steps: Vec<OwnedStep>,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
    pub(crate) roundoff: f64,
    pub(crate) flat: bool,
    /// The last axis holds real and imaginary parts.
    pub(crate) complex: bool,
}

impl Leaf {
    /// The shape without the axis of real and imaginary parts.
    fn extents(&self) -> &[usize] {
        &self.shape[..self.shape.len() - usize::from(self.complex)]
    }

    /// Scalars in one element.
    fn parts(&self) -> usize {
        1 + usize::from(self.complex)
    }

    /// Numbers, complex ones counted once.
    fn elements(&self) -> usize {
        self.range.len() / self.parts()
    }
}

/// A flattened value: its leaves in order and, side by side, its scalars.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) values: Vec<f64>,
    steps: Vec<OwnedStep>,
}

impl Tree {
    pub(crate) fn of<T: Flatten + ?Sized>(value: &T) -> Tree {
        Tree::sized(value, 0)
    }

    /// The same of a value that has about so many scalars: there is room for them from the first.
    pub(crate) fn sized<T: Flatten + ?Sized>(value: &T, scalars: usize) -> Tree {
        let mut tree = Tree { values: Vec::with_capacity(scalars), ..Tree::default() };
        value.flatten(&mut tree);
        tree
    }

    /// Unit roundoff of the least precise scalar.
    pub(crate) fn roundoff(&self) -> f64 {
        self.leaves.iter().map(|leaf| leaf.roundoff).fold(0.0, f64::max)
    }

    /// What turns each scalar of a gradient in this convention into a real partial derivative;
    /// empty where nothing needs it.
    pub(crate) fn factors(&self, convention: Convention) -> Vec<f64> {
        if !self.leaves.iter().any(|leaf| leaf.complex) {
            return Vec::new();
        }
        let mut factors = vec![1.0; self.values.len()];
        for leaf in self.leaves.iter().filter(|leaf| leaf.complex) {
            for parts in factors[leaf.range.clone()].chunks_mut(2) {
                parts.copy_from_slice(&convention.factors());
            }
        }
        factors
    }

    fn push(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        let start = self.values.len();
        scalars.append_to(&mut self.values);
        self.leaves.push(Leaf {
            steps: self.steps.clone(),
            shape: shape.to_vec(),
            range: start..self.values.len(),
            roundoff: scalars.roundoff(),
            flat: scalars.is_flat(),
            complex: scalars.is_complex() && shape.last() == Some(&2),
        });
    }

    /// Hangs another value's leaves below a named step.
    pub(crate) fn graft(&mut self, name: &str, other: Tree) {
        let offset = self.values.len();
        if offset == 0 {
            self.values = other.values;
        } else {
            self.values.extend(&other.values);
        }
        self.leaves.extend(other.leaves.into_iter().map(|mut leaf| {
            leaf.steps.insert(0, OwnedStep::Field(name.to_owned()));
            leaf.range = leaf.range.start + offset..leaf.range.end + offset;
            leaf
        }));
    }

    /// The blocks that a report names. With a single place whose parts have names of their own,
    /// the place's name is left out: `W2[0, 1]`, not `params.W2[0, 1]`.
    pub(crate) fn blocks(&self) -> Arc<[Block]> {
        let single =
            self.leaves.iter().all(|leaf| leaf.steps.first() == self.leaves[0].steps.first());
        self.leaves
            .iter()
            .map(|leaf| {
                let short = single && leaf.steps.len() > 1 && leaf.steps[1].name().is_some();
                Block {
                    name: path(&leaf.steps[usize::from(short)..]),
                    full_name: path(&leaf.steps),
                    shape: leaf.shape.clone(),
                    complex: leaf.complex,
                    range: leaf.range.clone(),
                    roundoff: leaf.roundoff,
                    jacobian: None,
                }
            })
            .collect()
    }
}

fn path(steps: &[OwnedStep]) -> String {
    let mut path = String::new();
    for step in steps {
        step.write(&mut path);
    }
    path
}

impl Visitor for Tree {
    fn enter(&mut self, step: Step<'_>) {
        self.steps.push(step.into());
    }
    fn leave(&mut self) {
        self.steps.pop();
    }
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        self.push(shape, scalars);
    }
}

impl VisitorMut for Tree {
    fn enter(&mut self, step: Step<'_>) {
        self.steps.push(step.into());
    }
    fn leave(&mut self) {
        self.steps.pop();
    }
    fn block(&mut self, shape: &[usize], scalars: &mut dyn ScalarsMut) {
        self.push(shape, scalars);
    }
}

/// The scalars alone, without paths: what the many forward calls need.
pub(crate) struct Values<'a>(pub(crate) &'a mut Vec<f64>);

impl Visitor for Values<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &dyn Scalars) {
        scalars.append_to(self.0);
    }
}

impl VisitorMut for Values<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        scalars.append_to(self.0);
    }
}

/// Stores all scalars, in order.
pub(crate) struct SetAll<'a>(pub(crate) &'a [f64]);

impl VisitorMut for SetAll<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        let (now, rest) = self.0.split_at(scalars.len().min(self.0.len()));
        scalars.set_all(now);
        self.0 = rest;
    }
}

/// Stores one scalar and keeps what the scalar type made of it.
pub(crate) struct SetOne<'a> {
    /// The steps to its block, where no other block has the same; then `index` counts within it.
    path: Option<&'a [OwnedStep]>,
    /// How many steps the visit is down, and how many of the first are those of the path.
    depth: usize,
    along: usize,
    index: usize,
    pub(crate) value: f64,
}

impl<'a> SetOne<'a> {
    /// Scalar `index` of all.
    pub(crate) fn counted(index: usize, value: f64) -> SetOne<'a> {
        SetOne { path: None, depth: 0, along: 0, index, value }
    }

    /// Scalar `index` of the block that `path` leads to.
    pub(crate) fn below(path: &'a [OwnedStep], index: usize, value: f64) -> SetOne<'a> {
        SetOne { path: Some(path), depth: 0, along: 0, index, value }
    }
}

impl VisitorMut for SetOne<'_> {
    fn enter(&mut self, step: Step<'_>) {
        if let Some(path) = self.path
            && self.along == self.depth
            && path.get(self.depth).is_some_and(|next| next.is(step))
        {
            self.along += 1;
        }
        self.depth += 1;
    }
    fn leave(&mut self) {
        self.depth -= 1;
        self.along = self.along.min(self.depth);
    }
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        let found = match self.path {
            Some(path) => self.along == path.len() && self.depth == path.len(),
            None => self.index < scalars.len(),
        };
        if found {
            scalars.set(self.index, self.value);
            self.value = scalars.get(self.index);
        }
        if self.path.is_none() {
            self.index = self.index.wrapping_sub(scalars.len());
        }
    }
    fn only_key(&self) -> Option<&str> {
        match self.path?.get(self.depth)? {
            OwnedStep::Key(key) if self.along == self.depth => Some(key),
            _ => None,
        }
    }
}

/// Stores what a source makes for a range of all scalars, and leaves the others alone.
pub(crate) struct SetRange<'a> {
    range: Range<usize>,
    /// Scalars of the blocks already seen.
    seen: usize,
    source: &'a mut dyn FnMut(usize, &mut [f64]),
}

impl<'a> SetRange<'a> {
    /// `source` gets the number of a scalar, and a place for its value and those that follow.
    pub(crate) fn new(
        range: Range<usize>,
        source: &'a mut dyn FnMut(usize, &mut [f64]),
    ) -> SetRange<'a> {
        SetRange { range, seen: 0, source }
    }
}

impl VisitorMut for SetRange<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, _: &[usize], scalars: &mut dyn ScalarsMut) {
        let block = self.seen..self.seen + scalars.len();
        self.seen = block.end;
        let start = self.range.start.max(block.start);
        let end = self.range.end.min(block.end);
        if start < end {
            let source = &mut self.source;
            scalars.set_range(start - block.start..end - block.start, &mut |first, piece| {
                source(block.start + first, piece);
            });
        }
    }
}

/// Looks for the first scalar that is not what it was.
pub(crate) struct FirstChanged<'a, C> {
    before: &'a [f64],
    /// Shapes of the blocks, where they matter too.
    shapes: Option<&'a [Vec<usize>]>,
    blocks: usize,
    like: C,
    /// Scalars of the blocks already seen.
    pub(crate) seen: usize,
    /// The first that changed, and what it is now.
    pub(crate) changed: Option<(usize, f64)>,
}

impl<'a, C: Fn(f64, f64) -> bool> FirstChanged<'a, C> {
    /// `like` says whether a value passes for what it was.
    pub(crate) fn new(before: &'a [f64], like: C) -> FirstChanged<'a, C> {
        FirstChanged { before, shapes: None, blocks: 0, like, seen: 0, changed: None }
    }

    /// Of blocks that are also to have the shapes that they had.
    pub(crate) fn shaped(self, shapes: &'a [Vec<usize>]) -> FirstChanged<'a, C> {
        FirstChanged { shapes: Some(shapes), ..self }
    }

    /// Whether there are as many scalars as there were, all of them like before.
    pub(crate) fn is_same(&self) -> bool {
        let shapes = self.shapes.is_none_or(|shapes| shapes.len() == self.blocks);
        self.changed.is_none() && self.seen == self.before.len() && shapes
    }

    fn compare(&mut self, shape: &[usize], scalars: &(impl Scalars + ?Sized)) {
        let same_shape =
            |shapes: &[Vec<usize>]| shapes.get(self.blocks).is_some_and(|s| s == shape);
        if !self.shapes.is_none_or(same_shape) {
            self.changed.get_or_insert((self.seen, f64::NAN));
        }
        self.blocks += 1;
        let start = self.seen;
        self.seen += scalars.len();
        let Some(before) = self.before.get(start..self.seen) else { return };
        if self.changed.is_some() {
            return;
        }
        scalars.in_pieces(&mut |first, piece| {
            if self.changed.is_none() {
                let mut pairs = piece.iter().zip(&before[first..]);
                if let Some(k) = pairs.position(|(now, before)| !(self.like)(*before, *now)) {
                    self.changed = Some((start + first + k, piece[k]));
                }
            }
        });
    }
}

impl<C: Fn(f64, f64) -> bool> Visitor for FirstChanged<'_, C> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        self.compare(shape, scalars);
    }
}

impl<C: Fn(f64, f64) -> bool> VisitorMut for FirstChanged<'_, C> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &mut dyn ScalarsMut) {
        self.compare(shape, scalars);
    }
}

/// Keeps the scalars at some positions, in the order in which these are given.
pub(crate) struct Pick<'a> {
    positions: &'a [usize],
    /// Shapes that the blocks are to have.
    shapes: &'a [Vec<usize>],
    blocks: usize,
    seen: usize,
    are_shapes_same: bool,
    values: Vec<f64>,
}

impl<'a> Pick<'a> {
    pub(crate) fn new(positions: &'a [usize], shapes: &'a [Vec<usize>]) -> Pick<'a> {
        let values = vec![f64::NAN; positions.len()];
        Pick { positions, shapes, blocks: 0, seen: 0, are_shapes_same: true, values }
    }

    /// The scalars, if the blocks have the shapes that they were to have.
    pub(crate) fn values(self) -> Option<Vec<f64>> {
        (self.are_shapes_same && self.blocks == self.shapes.len()).then_some(self.values)
    }
}

impl Visitor for Pick<'_> {
    fn enter(&mut self, _: Step<'_>) {}
    fn leave(&mut self) {}
    fn block(&mut self, shape: &[usize], scalars: &dyn Scalars) {
        self.are_shapes_same &= self.shapes.get(self.blocks).is_some_and(|s| s == shape);
        self.blocks += 1;
        let start = self.seen;
        self.seen += scalars.len();
        for (value, &position) in self.values.iter_mut().zip(self.positions) {
            if (start..self.seen).contains(&position) {
                *value = scalars.get(position - start);
            }
        }
    }
}

/// Ranges one after another that make up a list of positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Runs(Vec<Range<usize>>);

impl Runs {
    fn push(&mut self, range: Range<usize>) {
        match self.0.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.0.push(range),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The positions one by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// The position numbered `i`.
    pub(crate) fn get(&self, mut i: usize) -> Option<usize> {
        for run in &self.0 {
            if i < run.len() {
                return Some(run.start + i);
            }
            i -= run.len();
        }
        None
    }

    /// The least of them.
    pub(crate) fn first(&self) -> Option<usize> {
        self.0.iter().map(|run| run.start).min()
    }

    /// The positions numbered `range`.
    pub(crate) fn slice(&self, range: Range<usize>) -> Runs {
        let (mut taken, mut at) = (Runs::default(), 0);
        for run in &self.0 {
            let start = range.start.max(at);
            let end = range.end.min(at + run.len());
            if start < end {
                taken.push(run.start + start - at..run.start + end - at);
            }
            at += run.len();
        }
        taken
    }

    /// Whether they are the positions of `count` values, in order.
    fn are_all(&self, count: usize) -> bool {
        matches!(&self.0[..], [run] if *run == (0..count))
    }

    /// The values at these positions; without a copy where they are all of them in order.
    fn of(&self, values: Vec<f64>) -> Vec<f64> {
        if self.are_all(values.len()) {
            return values;
        }
        self.0.iter().flat_map(|run| &values[run.clone()]).copied().collect()
    }
}

/// Which scalar of a gradient answers each component, and what was odd but harmless.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Alignment {
    /// For each component, the position of its scalar in the gradient's flattened values.
    pub(crate) source: Runs,
    /// What that scalar is to be multiplied by, for each component; empty for 1 throughout.
    pub(crate) factors: Vec<f64>,
    /// Keys of the gradient that no parameter asks for.
    pub(crate) extra: Vec<String>,
}

impl Alignment {
    /// The components, out of a gradient's flattened values.
    pub(crate) fn read(&self, values: Vec<f64>) -> Vec<f64> {
        let mut read = self.source.of(values);
        read.iter_mut().zip(&self.factors).for_each(|(value, factor)| *value *= factor);
        read
    }

    /// Whether the components are `count` values of the gradient as they stand, in order.
    pub(crate) fn is_plain(&self, count: usize) -> bool {
        self.factors.is_empty() && self.source.are_all(count)
    }

    /// What component `i` is multiplied by.
    pub(crate) fn factor(&self, i: usize) -> f64 {
        self.factors.get(i).copied().unwrap_or(1.0)
    }
}

/// A value as nested branches, which is what names are compared on.
#[derive(Debug)]
enum Node<'a> {
    Leaf(&'a Leaf),
    Branch(Vec<(&'a OwnedStep, Node<'a>)>),
}

impl<'a> Node<'a> {
    fn new(leaves: &'a [Leaf], depth: usize) -> Node<'a> {
        if let [leaf] = leaves
            && leaf.steps.len() == depth
        {
            return Node::Leaf(leaf);
        }
        let mut children = Vec::new();
        let mut rest = leaves;
        while let Some(first) = rest.first() {
            // A leaf beside branches cannot come from one Flatten; skip what has no step left.
            let Some(step) = first.steps.get(depth) else {
                rest = &rest[1..];
                continue;
            };
            let count = rest.iter().take_while(|l| l.steps.get(depth) == Some(step)).count();
            children.push((step, Node::new(&rest[..count], depth + 1)));
            rest = &rest[count..];
        }
        Node::Branch(children)
    }

    fn leaves(&self) -> Vec<&'a Leaf> {
        match self {
            Node::Leaf(leaf) => vec![leaf],
            Node::Branch(children) => children.iter().flat_map(|(_, c)| c.leaves()).collect(),
        }
    }

    fn len(&self) -> usize {
        self.leaves().iter().map(|leaf| leaf.range.len()).sum()
    }

    fn elements(&self) -> usize {
        self.leaves().iter().map(|leaf| leaf.elements()).sum()
    }

    /// Whether it consists of complex numbers.
    fn is_complex(&self) -> bool {
        let leaves = self.leaves();
        !leaves.is_empty() && leaves.iter().all(|leaf| leaf.complex)
    }

    /// The scalars in order, as positions in the flattened values.
    fn positions(&self) -> Runs {
        let mut positions = Runs::default();
        self.leaves().into_iter().for_each(|leaf| positions.push(leaf.range.clone()));
        positions
    }

    /// The shape of nested sequences of equal shapes: `[[f64; 3]; 2]` is `[2, 3]`.
    fn shape(&self) -> Option<Vec<usize>> {
        self.nested(&|leaf| leaf.shape.clone())
    }

    /// The same without the axis of real and imaginary parts.
    fn extents(&self) -> Option<Vec<usize>> {
        self.nested(&|leaf| leaf.extents().to_vec())
    }

    fn nested(&self, shape: &dyn Fn(&Leaf) -> Vec<usize>) -> Option<Vec<usize>> {
        match self {
            Node::Leaf(leaf) => Some(shape(leaf)),
            Node::Branch(children) => {
                if children.is_empty() || children.iter().any(|(step, _)| step.name().is_some()) {
                    return None;
                }
                let inner = children[0].1.nested(shape)?;
                let same = children.iter().all(|(_, c)| c.nested(shape).as_ref() == Some(&inner));
                same.then(|| [vec![children.len()], inner].concat())
            }
        }
    }

    /// Whether its scalars are a plain sequence, with no more shape than their number.
    fn is_flat(&self) -> bool {
        matches!(self, Node::Leaf(leaf) if leaf.flat)
    }

    fn has_names(&self) -> bool {
        matches!(self, Node::Branch(c) if !c.is_empty() && c.iter().all(|(s, _)| s.name().is_some()))
    }

    fn is_dictionary(&self) -> bool {
        matches!(self, Node::Branch(c) if c.iter().any(|(s, _)| matches!(s, OwnedStep::Key(_))))
    }

    fn describe(&self) -> String {
        match self {
            Node::Leaf(leaf) if leaf.shape.is_empty() => "a scalar".to_owned(),
            Node::Leaf(leaf) if leaf.extents().is_empty() => "a complex number".to_owned(),
            Node::Leaf(leaf) if leaf.flat => {
                let what = if leaf.complex { "complex numbers" } else { "scalars" };
                format!("a sequence of {} {what}", leaf.elements())
            }
            Node::Leaf(leaf) => format!("shape {}", extents(&leaf.shape, leaf.complex)),
            Node::Branch(children) if children.is_empty() => "nothing in it".to_owned(),
            Node::Branch(children) => {
                let names: Vec<String> =
                    children.iter().take(6).map(|(s, _)| path(&[(*s).clone()])).collect();
                let more = if children.len() > 6 { ", .." } else { "" };
                let parts = if children.len() == 1 { "part" } else { "parts" };
                format!("{} {parts} ({}{more})", children.len(), names.join(", "))
            }
        }
    }
}

/// Whether a gradient may be called `candidate` when the parameter is called `name`.
fn answers(name: &str, candidate: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    let name = name.strip_prefix("r#").unwrap_or(name);
    let candidate = candidate.strip_prefix("r#").unwrap_or(candidate);
    candidate == name
        || ["d", "d_", "grad_"].iter().any(|p| candidate.strip_prefix(p).is_some_and(|c| c == name))
}

/// What the components are: one for each parameter, or one for each pair of output and parameter.
#[derive(Clone, Copy)]
enum Form<'a> {
    Gradient,
    Jacobian { outputs: &'a Tree },
}

/// What answers one block of parameters.
struct Pair {
    parameters: Range<usize>,
    /// Positions in the gradient, for each parameter (times the outputs).
    positions: Runs,
    /// What the scalars there are to be multiplied by; empty where the convention says it.
    factors: Vec<f64>,
}

struct Aligner<'a> {
    form: Form<'a>,
    pairs: Vec<Pair>,
    extra: Vec<String>,
    problems: Vec<String>,
}

/// Finds the gradient's scalar for each scalar of the primal. The primal's first step is the
/// name of a `wrt` place. Complex scalars of the gradient are read in the convention.
///
/// # Errors
/// All problems of structure and shape, each naming the block.
pub(crate) fn align(
    primal: &Tree,
    gradient: &Tree,
    convention: Convention,
) -> Result<Alignment, Vec<String>> {
    run(Form::Gradient, primal, gradient, convention)
}

/// The same for a Jacobian, outputs by inputs; a block's components are its rows one after
/// another.
pub(crate) fn align_jacobian(
    outputs: &Tree,
    primal: &Tree,
    gradient: &Tree,
    convention: Convention,
) -> Result<Alignment, Vec<String>> {
    run(Form::Jacobian { outputs }, primal, gradient, convention)
}

fn run(
    form: Form<'_>,
    primal: &Tree,
    gradient: &Tree,
    convention: Convention,
) -> Result<Alignment, Vec<String>> {
    let mut aligner = Aligner { form, pairs: Vec::new(), extra: Vec::new(), problems: Vec::new() };
    let (p, g) = (Node::new(&primal.leaves, 0), Node::new(&gradient.leaves, 0));
    aligner.root(&p, &g);
    if !aligner.problems.is_empty() {
        return Err(aligner.problems);
    }
    let mut pairs = aligner.pairs;
    pairs.sort_by_key(|pair| pair.parameters.start);
    let conventional = gradient.factors(convention);
    let mut factors = Vec::new();
    if !conventional.is_empty() {
        for pair in &pairs {
            match pair.factors.is_empty() {
                true => factors.extend(pair.positions.iter().map(|i| conventional[i])),
                false => factors.extend(&pair.factors),
            }
        }
    }
    let mut source = Runs::default();
    pairs.into_iter().flat_map(|pair| pair.positions.0).for_each(|run| source.push(run));
    Ok(Alignment { source, factors, extra: aligner.extra })
}

impl<'a> Aligner<'a> {
    fn outputs(&self) -> usize {
        match self.form {
            Form::Gradient => 1,
            Form::Jacobian { outputs } => outputs.values.len(),
        }
    }

    /// The places: by name where the gradient has names for all of them, one for one otherwise.
    fn root(&mut self, primal: &Node<'a>, gradient: &Node<'a>) {
        let Node::Branch(places) = primal else { return };
        if gradient.leaves().is_empty() {
            self.problems.push("the gradient is empty".to_owned());
            return;
        }
        let named = self.find_all(places, gradient).is_some();
        match &places[..] {
            [(step, only)] if !named => self.node(&path(&[(*step).clone()]), only, gradient),
            _ => self.node("", primal, gradient),
        }
    }

    /// The gradient's children that answer the primal's names, if every name has one.
    fn find_all<'g>(
        &self,
        children: &[(&OwnedStep, Node<'_>)],
        gradient: &'g Node<'a>,
    ) -> Option<Vec<usize>> {
        let Node::Branch(candidates) = gradient else { return None };
        children.iter().map(|(step, _)| find(step, candidates)).collect()
    }

    fn node(&mut self, name: &str, primal: &Node<'a>, gradient: &Node<'a>) {
        match (primal, gradient) {
            (Node::Branch(parts), Node::Branch(candidates)) => {
                self.branches(name, primal, parts, gradient, candidates);
            }
            _ => self.scalars(name, primal, gradient),
        }
    }

    fn branches(
        &mut self,
        name: &str,
        primal: &Node<'a>,
        parts: &[(&'a OwnedStep, Node<'a>)],
        gradient: &Node<'a>,
        candidates: &[(&'a OwnedStep, Node<'a>)],
    ) {
        if primal.has_names() && gradient.has_names() {
            let found: Vec<Option<usize>> =
                parts.iter().map(|(step, _)| find(step, candidates)).collect();
            let positional = found.iter().all(Option::is_none)
                && parts.len() == candidates.len()
                && !gradient.is_dictionary();
            if !positional {
                for ((step, part), found) in parts.iter().zip(&found) {
                    let inner = below(name, step);
                    match found {
                        Some(i) => self.node(&inner, part, &candidates[*i].1),
                        None => self.problems.push(format!(
                            "the gradient has nothing for `{inner}`: it has {}",
                            gradient.describe()
                        )),
                    }
                }
                for (i, (step, _)) in candidates.iter().enumerate() {
                    if !found.contains(&Some(i)) {
                        self.extra.push(path(&[(*step).clone()]));
                    }
                }
                return;
            }
        }
        if parts.len() == candidates.len() {
            for ((step, part), (_, candidate)) in parts.iter().zip(candidates) {
                self.node(&below(name, step), part, candidate);
            }
        } else if let [(_, only)] = candidates {
            self.node(name, primal, only);
        } else if let [(step, only)] = parts {
            self.node(&below(name, step), only, gradient);
        } else {
            let what =
                if name.is_empty() { "the parameters".to_owned() } else { format!("`{name}`") };
            self.problems.push(format!(
                "the gradient has another structure: {what}: {}, the gradient: {}",
                primal.describe(),
                gradient.describe()
            ));
        }
    }

    /// At least one side is a single block.
    fn scalars(&mut self, name: &str, primal: &Node<'a>, gradient: &Node<'a>) {
        if let Form::Jacobian { outputs } = self.form
            && gradient.is_complex()
            && outputs.leaves.iter().any(|leaf| leaf.complex)
        {
            return self.complex_jacobian(name, outputs, primal, gradient);
        }
        let outputs = self.outputs();
        let inputs = primal.len();
        let positions = gradient.positions();
        let fits = positions.len() == outputs * inputs
            && match self.form {
                Form::Gradient => same_shape(primal, gradient),
                Form::Jacobian { outputs } => jacobian_shape(outputs, primal, gradient),
            };
        if !fits {
            if let (Node::Leaf(_), Node::Branch(candidates)) = (primal, gradient) {
                // One part that holds it all, a struct around the array, say.
                if let [(_, only)] = &candidates[..] {
                    return self.scalars(name, primal, only);
                }
                // A Jacobian given output by output: one part for each block of outputs.
                if let Form::Jacobian { outputs } = self.form
                    && candidates.len() == outputs.leaves.len()
                    && candidates
                        .iter()
                        .zip(&outputs.leaves)
                        .all(|((_, c), o)| c.len() == o.range.len() * inputs)
                {
                    return self.take(primal, positions);
                }
            }
            let wanted = match self.form {
                Form::Gradient => primal.describe(),
                Form::Jacobian { .. } => format!("shape [{outputs}, {inputs}], outputs by inputs"),
            };
            let subject = match self.form {
                Form::Gradient => "the gradient of",
                Form::Jacobian { .. } => "the Jacobian with respect to",
            };
            self.problems.push(format!(
                "wrong shape: {subject} `{name}` has {}, and should have {wanted}",
                gradient.describe()
            ));
            return;
        }
        self.take(primal, positions);
    }

    /// Deals out positions, rows of outputs by all inputs of `primal`, to its leaves.
    fn take(&mut self, primal: &Node<'a>, positions: Runs) {
        let (outputs, inputs) = (self.outputs(), primal.len());
        let mut start = 0;
        for leaf in primal.leaves() {
            let mut own = Runs::default();
            for output in 0..outputs {
                let row = output * inputs + start;
                let part = positions.slice(row..row + leaf.range.len());
                part.0.into_iter().for_each(|run| own.push(run));
            }
            start += leaf.range.len();
            let (parameters, factors) = (leaf.range.clone(), Vec::new());
            self.pairs.push(Pair { parameters, positions: own, factors });
        }
    }

    /// Complex outputs, and complex numbers for their derivatives: a row for each output and a
    /// column for each parameter, complex ones counted once.
    fn complex_jacobian(
        &mut self,
        name: &str,
        outputs: &Tree,
        primal: &Node<'a>,
        gradient: &Node<'a>,
    ) {
        if !outputs.leaves.iter().all(|leaf| leaf.complex) {
            self.problems.push(format!(
                "the Jacobian with respect to `{name}` is complex, and some outputs are real: give \
                 the derivatives of real and imaginary parts, or take a cotangent"
            ));
            return;
        }
        let rows: usize = outputs.leaves.iter().map(Leaf::elements).sum();
        let columns = primal.elements();
        let output_shape = match &outputs.leaves[..] {
            [leaf] => leaf.extents().to_vec(),
            _ => vec![rows],
        };
        let input_shape = primal.extents().unwrap_or_else(|| vec![columns]);
        let fits = gradient.elements() == rows * columns
            && (gradient.is_flat()
                || gradient.extents().is_some_and(|shape| {
                    is_jacobian(&shape, (rows, &output_shape), (columns, &input_shape))
                }));
        if !fits {
            self.problems.push(format!(
                "wrong shape: the Jacobian with respect to `{name}` has {}, and should have shape \
                 [{rows}, {columns}] complex, outputs by inputs",
                gradient.describe()
            ));
            return;
        }
        let positions: Vec<usize> = gradient.positions().iter().collect();
        let mut column = 0;
        for leaf in primal.leaves() {
            let (mut own, mut factors) = (Runs::default(), Vec::new());
            for scalar in 0..2 * rows {
                for input in 0..leaf.range.len() {
                    let element = (scalar / 2) * columns + column + input / leaf.parts();
                    // dw = w' (dx + i dy): of the real part, Re w' and -Im w'; of the imaginary
                    // one, Im w' and Re w'.
                    let (of, by) = (scalar % 2, input % leaf.parts());
                    let position = positions[2 * element + usize::from(of != by)];
                    own.push(position..position + 1);
                    factors.push(if (of, by) == (0, 1) { -1.0 } else { 1.0 });
                }
            }
            column += leaf.elements();
            self.pairs.push(Pair { parameters: leaf.range.clone(), positions: own, factors });
        }
    }
}

fn find(step: &OwnedStep, candidates: &[(&OwnedStep, Node<'_>)]) -> Option<usize> {
    let name = step.name()?;
    let exact = candidates.iter().position(|(s, _)| s.name() == Some(name));
    exact
        .or_else(|| candidates.iter().position(|(s, _)| s.name().is_some_and(|c| answers(name, c))))
}

fn below(name: &str, step: &OwnedStep) -> String {
    let mut path = name.to_owned();
    step.write(&mut path);
    path
}

/// Equal shapes, or a plain sequence on one side with as many scalars as the other.
fn same_shape(primal: &Node<'_>, gradient: &Node<'_>) -> bool {
    if primal.len() != gradient.len() {
        return false;
    }
    let shapes = (primal.shape(), gradient.shape());
    let packed = |node: &Node<'_>| matches!(node, Node::Leaf(leaf) if leaf.shape.len() == 1);
    shapes.0.is_some() && shapes.0 == shapes.1
        || primal.is_flat()
        || gradient.is_flat()
        || (matches!(primal, Node::Branch(_)) && packed(gradient))
}

/// `[outputs, inputs]`, or the output's shape followed by the input's, or a plain sequence.
fn jacobian_shape(outputs: &Tree, primal: &Node<'_>, gradient: &Node<'_>) -> bool {
    if gradient.is_flat() {
        return true;
    }
    let Some(shape) = gradient.shape() else { return false };
    let output_shape = match &outputs.leaves[..] {
        [leaf] => leaf.shape.clone(),
        _ => vec![outputs.values.len()],
    };
    let input_shape = primal.shape().unwrap_or_else(|| vec![primal.len()]);
    is_jacobian(&shape, (outputs.values.len(), &output_shape), (primal.len(), &input_shape))
}

/// `[outputs, inputs]`, or one shape after the other. An extent of 1 may be left out.
fn is_jacobian(shape: &[usize], outputs: (usize, &[usize]), inputs: (usize, &[usize])) -> bool {
    shape == [outputs.0, inputs.0]
        || shape == [outputs.1, inputs.1].concat()
        || (outputs.0 == 1 && shape == inputs.1)
        || (inputs.0 == 1 && shape == outputs.1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::{Array1, Array2, arr0};

    use super::*;

    fn placed(values: &[(&str, &dyn Flatten)]) -> Tree {
        let mut tree = Tree::default();
        for (name, value) in values {
            tree.graft(name, Tree::of(*value));
        }
        tree
    }

    fn source(primal: &Tree, gradient: &impl Flatten) -> Result<Vec<usize>, Vec<String>> {
        align(primal, &Tree::of(gradient), Convention::default()).map(listed)
    }

    fn listed(alignment: Alignment) -> Vec<usize> {
        alignment.source.iter().collect()
    }

    #[test]
    fn a_dictionary_finds_prefixed_keys_and_notes_the_rest() {
        let w = BTreeMap::from([("W1", vec![1.0, 2.0]), ("b1", vec![3.0])]);
        let primal = placed(&[("params", &w)]);
        let g =
            BTreeMap::from([("dA0", vec![9.0]), ("dW1", vec![1.0, 2.0]), ("grad_b1", vec![3.0])]);
        let found = align(&primal, &Tree::of(&g), Convention::default()).unwrap();
        assert_eq!(found.extra, ["dA0"]);
        assert_eq!(listed(found), [1, 2, 3]);
        let missing = BTreeMap::from([("dW1", vec![1.0, 2.0]), ("dA0", vec![9.0])]);
        let problem = source(&primal, &missing).unwrap_err();
        assert!(problem[0].contains("nothing for `params.b1`"), "{problem:?}");
    }

    #[test]
    fn shapes_must_be_the_same_unless_one_side_is_a_plain_sequence() {
        let primal = placed(&[("w", &Array2::<f64>::zeros((2, 3)))]);
        assert_eq!(source(&primal, &vec![0.0; 6]).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(source(&primal, &[[0.0; 3]; 2]).unwrap().len(), 6);
        let transposed = source(&primal, &Array2::<f64>::zeros((3, 2))).unwrap_err();
        assert!(transposed[0].contains("shape [3, 2]"), "{transposed:?}");
        assert!(transposed[0].contains("shape [2, 3]"), "{transposed:?}");
        assert!(source(&primal, &Array1::<f64>::zeros(6)).is_err());
        assert!(source(&primal, &vec![0.0; 5]).is_err());
    }

    #[test]
    fn tuples_answer_places_and_structs_in_order() {
        let (w, b) = (Array2::<f64>::zeros((2, 2)), Array1::<f64>::zeros(2));
        let primal = placed(&[("w", &w), ("b", &b)]);
        assert_eq!(source(&primal, &(w.clone(), b.clone())).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert!(source(&primal, &(b.clone(), w.clone())).is_err());
        assert!(source(&primal, &(w.clone(),)).is_err());
        let packed = vec![0.0; 6];
        assert_eq!(source(&primal, &packed).unwrap(), [0, 1, 2, 3, 4, 5]);
        let named = BTreeMap::from([("db", vec![0.0; 2]), ("dw", vec![0.0; 4])]);
        assert_eq!(source(&primal, &named).unwrap(), [2, 3, 4, 5, 0, 1]);
    }

    #[test]
    fn a_jacobian_is_outputs_by_inputs() {
        let primal = placed(&[("pose", &Array1::<f64>::zeros(3))]);
        let outputs = Tree::of(&Array1::<f64>::zeros(2));
        let ok = align_jacobian(
            &outputs,
            &primal,
            &Tree::of(&Array2::<f64>::zeros((2, 3))),
            Convention::default(),
        );
        assert_eq!(listed(ok.unwrap()), [0, 1, 2, 3, 4, 5]);
        let wrong = align_jacobian(
            &outputs,
            &primal,
            &Tree::of(&Array2::<f64>::zeros((3, 2))),
            Convention::default(),
        );
        assert!(wrong.unwrap_err()[0].contains("[2, 3], outputs by inputs"));
        let nested =
            align_jacobian(&outputs, &primal, &Tree::of(&[[0.0; 3]; 2]), Convention::default());
        assert_eq!(nested.unwrap().source.len(), 6);
        // Two places and one matrix: its columns are dealt out to the places.
        let two = placed(&[("a", &vec![0.0; 1]), ("b", &vec![0.0; 2])]);
        let packed = align_jacobian(
            &outputs,
            &two,
            &Tree::of(&Array2::<f64>::zeros((2, 3))),
            Convention::default(),
        );
        assert_eq!(listed(packed.unwrap()), [0, 3, 1, 2, 4, 5]);
    }

    #[test]
    fn paths_read_as_the_user_would_write_them() {
        let layers = vec![BTreeMap::from([("weight", Array2::<f64>::zeros((1, 2)))])];
        let blocks = placed(&[("layers", &layers)]).blocks();
        assert_eq!(blocks[0].name, "layers[0].weight");
        assert_eq!(blocks[0].component(1), "layers[0].weight[0, 1]");
        let single = placed(&[("params", &BTreeMap::from([("W1", arr0(1.0))]))]).blocks();
        assert_eq!((&*single[0].name, &*single[0].full_name), ("W1", "params.W1"));
        assert_eq!(placed(&[("x", &1.0_f64)]).blocks()[0].component(0), "x");
    }

    #[test]
    fn scalars_are_picked_where_they_stand() {
        let value = (vec![1.0, 2.0, 3.0], 4.0, vec![5.0, 6.0]);
        let picked = |positions: &[usize], shapes: &[&[usize]]| {
            let shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
            let mut pick = Pick::new(positions, &shapes);
            value.flatten(&mut pick);
            pick.values()
        };
        let shapes: &[&[usize]] = &[&[3], &[], &[2]];
        assert_eq!(picked(&[5, 0, 3, 2, 0], shapes), Some(vec![6.0, 1.0, 4.0, 3.0, 1.0]));
        assert_eq!(picked(&[], shapes), Some(vec![]));
        assert!(picked(&[6], shapes).is_some_and(|values| values[0].is_nan()));
        // Of another shape, with more blocks and with fewer.
        for other in [&[&[3][..], &[], &[3]][..], &[&[3], &[]], &[&[3], &[], &[2], &[]]] {
            assert_eq!(picked(&[0], other), None);
        }
        let runs = Runs(vec![4..6, 1..2, 9..12]);
        let all: Vec<Option<usize>> = (0..7).map(|i| runs.get(i)).collect();
        assert_eq!(all, [Some(4), Some(5), Some(1), Some(9), Some(10), Some(11), None]);
        assert_eq!(runs.iter().map(Some).collect::<Vec<_>>(), all[..6]);
    }
}
