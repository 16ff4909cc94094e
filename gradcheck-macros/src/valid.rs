//! A checked spec: every name resolved, and every error said at the token that caused it.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Expr, FnArg, GenericParam, Lit, Pat, ReceiverKind, ReturnType, Stmt, Type};

use crate::ast::{Owner, Spec, own};
use crate::attr::{Drawn, Opt, Options, Out, Train};
use crate::tokens::{Errors, drawn_self, mentions, nearest, sanitised, snake_case, written};
use crate::types::{self, Pass, Scope, Storage};

/// Tests of this many shards would be a slip of the finger.
const MOST_SHARDS: u32 = 1000;

/// Update rules are called with at most this many places.
const MOST_TRAINED: usize = 8;

/// A function to be checked, with nothing left to go wrong but its types.
pub(crate) struct Check {
    /// Path of the runtime crate.
    pub(crate) runtime: TokenStream,
    pub(crate) cfgs: Vec<TokenStream>,
    pub(crate) marks: Vec<TokenStream>,
    pub(crate) function: Ident,
    pub(crate) type_name: Option<String>,
    /// Name of the test module, `gradcheck_backward`.
    pub(crate) module: String,
    /// The trait whose method is checked, to be in scope.
    pub(crate) import: Option<TokenStream>,
    pub(crate) self_type: Option<SelfType>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) shards: Option<u32>,
    /// Assignments to the fields of the runtime's settings.
    pub(crate) settings: Vec<(Ident, TokenStream)>,
    pub(crate) steps: Option<TokenStream>,
    pub(crate) learning_rate: Option<TokenStream>,
    pub(crate) update: Option<TokenStream>,
    pub(crate) exact: Option<Ident>,
    pub(crate) allow_zero: Vec<String>,
    pub(crate) dims: Vec<(Ident, TokenStream)>,
    pub(crate) draws: Vec<Draw>,
    /// Everything that dims and draws bind, in order.
    pub(crate) state: Vec<Ident>,
    pub(crate) places: Vec<Place>,
    /// None for a function that returns its own value.
    pub(crate) forward: Option<Forward>,
    pub(crate) gradient: Gradient,
    pub(crate) product: Option<Product>,
    pub(crate) buffers: Vec<Buffer>,
    /// The function returns a `Result` or an `Option`.
    pub(crate) fallible: bool,
}

/// `Self` in the driver: a local trait is implemented for the type.
pub(crate) struct SelfType {
    pub(crate) lifetimes: TokenStream,
    pub(crate) ty: Type,
    /// The type with its lifetimes left to inference.
    pub(crate) inferred: TokenStream,
}

/// One choice of `types(..)`, or the only instance there is.
pub(crate) struct Instance {
    pub(crate) name: Option<String>,
    pub(crate) aliases: TokenStream,
}

pub(crate) struct Draw {
    pub(crate) text: String,
    pub(crate) pattern: TokenStream,
    pub(crate) ty: Option<Type>,
    pub(crate) strategy: TokenStream,
    pub(crate) range: bool,
    pub(crate) pins: Vec<Pin>,
    /// Names the scalar of `exact`.
    pub(crate) exact: bool,
}

/// A drawn variable that goes to a parameter, whose type says what is drawn.
pub(crate) struct Pin {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) pass: Pass,
    /// The variable is passed as it is; else it may turn out to be of another type.
    pub(crate) certain: bool,
}

pub(crate) struct Place {
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
    /// The variable that the place lies in.
    pub(crate) root: Ident,
    /// The place is the whole variable.
    pub(crate) whole: bool,
}

pub(crate) struct Forward {
    pub(crate) statements: TokenStream,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Expr(TokenStream),
    /// A path, or a closure whose parameters have types: called as it stands.
    Call(TokenStream, Vec<Arg>),
    /// A closure whose parameters get their types from the call.
    Untyped(TokenStream, Vec<Arg>),
}

pub(crate) enum Gradient {
    Expr(TokenStream),
    Function(TokenStream, Vec<Arg>),
    Method(Ident, TokenStream, Arg, Vec<Arg>),
}

pub(crate) enum Product {
    Cotangent(TokenStream),
    Tangent(TokenStream),
}

/// A variable handed to a parameter.
#[derive(Clone)]
pub(crate) struct Arg {
    pub(crate) name: Ident,
    pub(crate) pass: Pass,
    pub(crate) source: Source,
    /// The parameter's type, where it can be written.
    pub(crate) ty: Option<Type>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Dim,
    Draw,
    /// A `let` of `forward`, or what a cotangent's or tangent's pattern binds. It is not needed
    /// after the call. Whether it must be bound anew to be lent by `&mut`.
    Local {
        rebind: bool,
    },
    Buffer,
}

pub(crate) struct Buffer {
    pub(crate) name: Ident,
    pub(crate) added: bool,
    /// Position of its target in `wrt`.
    pub(crate) place: usize,
    pub(crate) storage: Storage,
}

/// A parameter of the annotated function.
struct Param<'a> {
    name: Option<Ident>,
    ty: &'a Type,
    tokens: TokenStream,
}

/// Checks a spec. None when there were errors.
pub(crate) fn check(spec: &Spec, errors: &mut Errors) -> Option<Check> {
    let before = errors.count();
    if !usable(spec, errors) {
        return None;
    }
    let checker = Checker::new(spec, errors);
    let check = checker.check(errors);
    (errors.count() == before).then_some(check)
}

/// Whether the function is of a kind that can be checked, so that its options are worth a look.
fn usable(spec: &Spec, errors: &mut Errors) -> bool {
    let before = errors.count();
    let signature = &spec.function.signature;
    let name = &signature.ident;
    if let Some(token) = &signature.asyncness {
        errors.at(token, format!("`{name}` is async: gradcheck runs on plain functions; check the function that it awaits, or a wrapper that blocks on it"));
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        errors.at(
            token,
            format!("`{name}` is unsafe: put the attribute on a safe function that wraps it"),
        );
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, "a variadic function cannot be called by the names of its arguments");
    }
    if spec.function.declared {
        errors.at(name, format!("`{name}` has no body to run: put `#[gradcheck]` on an impl block, and `#[gradcheck(..)]` on the method there"));
        return false;
    }
    let takes_self = signature.receiver().map(|receiver| receiver.self_token.to_token_stream());
    let names_self = crate::tokens::find(&signature.to_token_stream(), "Self");
    if let (Some(token), None) =
        (takes_self.or(names_self.map(ToTokens::into_token_stream)), &spec.owner)
    {
        errors.at(token, format!("`{name}` is a method, and its impl block has no attribute: add a bare `#[gradcheck]` to the impl block"));
        return false;
    }
    if spec.options.empty {
        errors.at(name, format!("an attribute without arguments stands on impl blocks; a function needs at least a draw: `#[gradcheck(x in normal(3), forward = loss)] fn {name}`"));
        return false;
    }
    errors.count() == before
}

struct Checker<'a> {
    spec: &'a Spec,
    options: &'a Options,
    scope: Scope<'a>,
    params: Vec<Param<'a>>,
    dims: Vec<Ident>,
    /// The draws' variables, `self` by its drawn name.
    draws: Vec<Ident>,
    places: Vec<Place>,
    buffers: Vec<Buffer>,
    /// What the top-level `let`s of `forward` bind.
    lets: Vec<Local>,
    /// What the patterns of `cotangent` and `tangent` bind.
    product: Vec<Local>,
    /// A macro among the statements of `forward` may bind more.
    lets_unknown: bool,
}

struct Local {
    name: Ident,
    mutable: bool,
}

impl<'a> Checker<'a> {
    fn new(spec: &'a Spec, errors: &mut Errors) -> Checker<'a> {
        let options = &spec.options;
        let signature = &spec.function.signature;
        let owner = spec.owner.as_ref();
        let mut generics = vec![&signature.generics];
        generics.extend(owner.map(|owner| &owner.generics));
        let known = options.types.iter().flat_map(|types| &types.value);
        let known = known.map(|types| types.parameter.to_string()).collect();
        let scope = Scope { generics, known, self_ty: owner.map(|owner| &owner.self_ty) };
        let params = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(Param {
                name: match &*typed.pat {
                    Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => {
                        Some(pat.ident.clone())
                    }
                    _ => None,
                },
                ty: &typed.ty,
                tokens: typed.pat.to_token_stream(),
            }),
            FnArg::Receiver(_) => None,
        });
        let mut checker = Checker {
            spec,
            options,
            scope,
            params: params.collect(),
            dims: Vec::new(),
            draws: Vec::new(),
            places: Vec::new(),
            buffers: Vec::new(),
            lets: Vec::new(),
            product: Vec::new(),
            lets_unknown: false,
        };
        checker.names(errors);
        checker.lets();
        checker.places_and_buffers(errors);
        checker
    }

    fn check(self, errors: &mut Errors) -> Check {
        self.combinations(errors);
        let forward = self.forward(errors);
        let gradient = self.gradient(errors);
        self.unused(errors);
        self.generics(errors);
        let spec = self.spec;
        let (options, owner) = (self.options, spec.owner.as_ref());
        let function = &spec.function.signature.ident;
        let train = options.train.as_ref().map(|train| &train.value);
        let part = |part: fn(&Train) -> &Option<Opt<Expr>>| {
            train.and_then(|train| part(train).as_ref()).map(|option| own(&option.value))
        };
        let marks = spec.function.marks.iter().cloned();
        Check {
            runtime: match &options.runtime {
                Some(path) => path.value.to_token_stream(),
                None => quote!(::gradcheck_runtime),
            },
            cfgs: spec.function.cfgs.clone(),
            marks: marks.chain(options.marks.iter().map(|mark| mark.value.clone())).collect(),
            function: function.clone(),
            type_name: owner.map(Owner::type_name),
            module: self.module(errors),
            import: owner.and_then(|owner| owner.implemented.as_ref()).map(types::import),
            self_type: self.self_type(errors),
            instances: self.instances(errors),
            shards: self.shards(errors),
            settings: options
                .settings
                .iter()
                .map(|setting| (setting.key.clone(), own(&setting.value)))
                .collect(),
            steps: part(|train| &train.steps),
            learning_rate: part(|train| &train.learning_rate),
            update: part(|train| &train.update),
            exact: options.exact.as_ref().map(|exact| exact.value.clone()),
            allow_zero: self.allow_zero(),
            dims: options
                .dims
                .iter()
                .flat_map(|dims| &dims.value)
                .map(|dim| (dim.name.clone(), own(&dim.range)))
                .collect(),
            draws: self.draws(),
            state: self.dims.iter().chain(&self.draws).cloned().collect(),
            forward,
            gradient,
            product: match (&options.cotangent, &options.tangent) {
                (Some(pattern), _) => Some(Product::Cotangent(own(&pattern.value))),
                (_, Some(pattern)) => Some(Product::Tangent(own(&pattern.value))),
                _ => None,
            },
            fallible: types::is_fallible(&spec.function.signature.output),
            places: self.places,
            buffers: self.buffers,
        }
    }

    /// Collects what is bound, and says what is bound twice.
    fn names(&mut self, errors: &mut Errors) {
        let function = &self.spec.function.signature;
        let mut seen: Vec<Ident> = Vec::new();
        let mut add = |name: &Ident, errors: &mut Errors| {
            if seen.iter().any(|other| other.unraw() == name.unraw()) {
                errors.at(name, format!("`{name}` is bound twice"));
            }
            seen.push(name.clone());
        };
        for dim in self.options.dims.iter().flat_map(|dims| &dims.value) {
            add(&dim.name, errors);
            self.dims.push(dim.name.clone());
        }
        for draw in &self.options.draws {
            match &draw.pattern {
                Drawn::Self_(token) => {
                    if self.draws.iter().any(|name| name == "__self") {
                        errors.at(token, "`self` is bound twice");
                    }
                    if function.receiver().is_none() {
                        errors.at(token, format!("`{}` takes no `self`", function.ident));
                    }
                    if let Some(ty) = &draw.ty {
                        errors.at(ty, "the type of `self` is known: write `self in STRATEGY`");
                    }
                    self.draws.push(drawn_self(token.span));
                }
                Drawn::Pattern(pat) => {
                    let names = types::bound(pat);
                    names.iter().for_each(|name| add(name, errors));
                    self.draws.extend(names);
                }
            }
        }
        if self.options.draws.is_empty() {
            let message = format!(
                "nothing is drawn: add what `{}` is checked on, `NAME in STRATEGY`",
                function.ident
            );
            match &self.options.dims {
                Some(dims) => errors.at(&dims.key, message),
                None => errors.at(&function.ident, message),
            }
        }
        for option in self.options.cotangent.iter().chain(&self.options.tangent) {
            let fixed = types::bound_immutably(&option.value);
            for name in types::bound(&option.value) {
                add(&name, errors);
                self.product.push(Local { mutable: !fixed.contains(&name), name });
            }
        }
        for out in self.options.out.iter().flat_map(|out| &out.value) {
            add(&out.buffer, errors);
        }
    }

    /// The top-level `let`s of a block `forward`, which the gradient call sees.
    fn lets(&mut self) {
        let Some(Expr::Block(block)) = self.options.forward.as_ref().map(|forward| &forward.value)
        else {
            return;
        };
        for statement in &block.block.stmts {
            match statement {
                Stmt::Local(local) => {
                    let fixed = types::bound_immutably(&local.pat);
                    for name in types::bound(&local.pat) {
                        self.lets.retain(|other| other.name != name);
                        self.lets.push(Local { mutable: !fixed.contains(&name), name });
                    }
                }
                Stmt::Macro(_) => self.lets_unknown = true,
                _ => {}
            }
        }
    }

    fn places_and_buffers(&mut self, errors: &mut Errors) {
        let outs: &[Out] = self.options.out.as_ref().map_or(&[], |out| &out.value);
        let wrt = self.options.wrt.as_ref();
        let places: Vec<&Expr> = match wrt {
            Some(wrt) => wrt.value.iter().collect(),
            None => outs.iter().map(|out| &out.place).collect(),
        };
        if let Some(wrt) = wrt
            && wrt.value.is_empty()
        {
            errors.at(&wrt.key, "`wrt` names nothing");
        }
        for place in &places {
            if let Some(place) = self.place(place, errors) {
                if self.places.iter().any(|other| other.text == place.text) {
                    errors.at(&place.tokens, format!("`{}` is named twice", place.text));
                }
                self.places.push(place);
            }
        }
        if places.is_empty()
            && wrt.is_none()
            && let Some(first) = self.draws.first()
        {
            let text =
                if first == "__self" { "self".to_owned() } else { first.unraw().to_string() };
            let (tokens, root) = (first.to_token_stream(), first.clone());
            self.places.push(Place { text, tokens, root, whole: true });
        }
        for out in outs {
            self.buffer(out, errors);
        }
        // what `wrt` names without a buffer has no gradient
        if !outs.is_empty()
            && let Some(wrt) = wrt
        {
            for place in &wrt.value {
                let text = written(place);
                if !outs.iter().any(|out| written(&out.place) == text) {
                    errors.at(place, format!("no buffer of `out` is for `{text}`: add `BUFFER = {text}`, or take it out of `wrt`"));
                }
            }
        }
    }

    fn place(&self, expr: &Expr, errors: &mut Errors) -> Option<Place> {
        let text = written(expr);
        let tokens = own(expr);
        let owned: Option<Expr> = syn::parse2(tokens.clone()).ok();
        let Some(root) = owned.as_ref().and_then(types::root) else {
            errors.at(
                expr,
                "expected a draw or a place in one: `x`, `self.weight`, `layers[0].bias`",
            );
            return None;
        };
        let Some(draw) = self.draws.iter().find(|draw| draw.unraw() == root.unraw()) else {
            let name = if root == "__self" { "self".to_owned() } else { root.to_string() };
            let names: Vec<String> = self.draws.iter().map(ToString::to_string).collect();
            let message = if self.dims.contains(root) {
                format!(
                    "`{name}` is one of `dims`, a count: derivatives are taken with respect to draws"
                )
            } else if self.lets.iter().any(|local| local.name == *root) {
                format!(
                    "`{name}` is computed in `forward`: derivatives are taken with respect to draws"
                )
            } else if let Some(near) = nearest(&name, names.iter().map(String::as_str)) {
                format!("`{name}` is not drawn, did you mean `{near}`?")
            } else {
                format!("`{name}` is not drawn: add `{name} in STRATEGY`")
            };
            errors.at(root, message);
            return None;
        };
        let whole = matches!(owned, Some(Expr::Path(_)));
        Some(Place { text, root: draw.clone(), tokens, whole })
    }

    fn buffer(&mut self, out: &Out, errors: &mut Errors) {
        let name = &out.buffer;
        let function = &self.spec.function.signature.ident;
        let text = written(&out.place);
        let storage = match self.param(name) {
            Some(param) if matches!(types::peel(param.ty), Type::Reference(reference) if reference.mutability.is_none()) =>
            {
                errors.at(
                    name,
                    format!("`{name}` cannot be written to: a buffer is taken by `&mut`"),
                );
                Storage::Same
            }
            Some(param) => types::buffer(param.ty).map_or(Storage::Same, |(storage, _)| storage),
            None => {
                let used = self.options.gradient.as_ref().is_some_and(|gradient| {
                    mentions(&gradient.value.to_token_stream(), &name.unraw().to_string())
                });
                if !used {
                    let names: Vec<String> = self.param_names();
                    errors.at(
                        name,
                        match nearest(&name.to_string(), names.iter().map(String::as_str)) {
                            Some(near) => format!(
                                "`{function}` has no argument `{name}`, did you mean `{near}`?"
                            ),
                            None => {
                                format!("`{function}` has no argument `{name}` to be written to")
                            }
                        },
                    );
                }
                Storage::Same
            }
        };
        match self.places.iter().position(|place| place.text == text) {
            Some(place) => {
                if self.buffers.iter().any(|buffer| buffer.place == place) {
                    errors.at(&out.place, format!("`{text}` has two buffers"));
                }
                let name = name.clone();
                self.buffers.push(Buffer { name, added: out.added, place, storage });
            }
            // without `wrt` the targets are the places, and what is wrong with them is said there
            None if self.options.wrt.is_some() => {
                errors.at(
                    &out.place,
                    format!("`{text}` is not among `wrt`: add it there, or leave `wrt` out"),
                );
            }
            None => {}
        }
    }

    /// Options that do not go together.
    fn combinations(&self, errors: &mut Errors) {
        let options = self.options;
        if let (Some(_), Some(tangent)) = (&options.cotangent, &options.tangent) {
            errors.at(
                &tangent.key,
                "`cotangent` and `tangent` exclude each other: use one attribute for each",
            );
        }
        for (option, what) in [(&options.cotangent, "cotangent"), (&options.tangent, "tangent")] {
            if let (Some(option), None) = (option, &options.forward) {
                errors.at(
                    &option.key,
                    format!("`{what}` needs `forward`, the function that is differentiated"),
                );
            }
        }
        if let (Some(exact), None) = (&options.exact, &options.forward) {
            errors.at(
                &exact.key,
                "`exact` needs `forward`, a function that is generic over the scalar",
            );
        }
        if let Some(exact) = &options.exact {
            let parameter = &exact.value;
            let named = options.draws.iter().any(|draw| {
                let name = parameter.to_string();
                mentions(&draw.strategy.to_token_stream(), &name)
                    || mentions(&draw.ty.to_token_stream(), &name)
            });
            if !named && !options.draws.is_empty() {
                errors.at(parameter, format!("no draw names `{parameter}`: write `normal::<{parameter}, _>(3)`, so that it is drawn for the exact method too"));
            }
            let twice = options.types.iter().flat_map(|types| &types.value);
            for types in twice.filter(|types| types.parameter == *parameter) {
                errors.at(
                    &types.parameter,
                    format!("`{parameter}` is the scalar of `exact` already"),
                );
            }
        }
        if let Some(train) = &options.train {
            if let Some(tangent) = &options.tangent {
                errors.at(
                    &train.key,
                    format!("a check along a `{}` has no gradient to train with", tangent.key),
                );
            }
            if let (Some(update), Some(rate)) = (&train.value.update, &train.value.learning_rate) {
                errors.at(
                    &rate.key,
                    "`learning_rate` belongs to plain descent: leave it out beside `update`",
                );
                let _ = update;
            }
            if let Some(update) = &train.value.update
                && self.places.len() > MOST_TRAINED
            {
                errors
                    .at(&update.key, format!("an update rule takes at most {MOST_TRAINED} places"));
            }
        }
        if let Some(self_type) = &options.self_type
            && self.spec.owner.is_none()
        {
            errors.at(self_type, "`Self` is known in impl blocks only");
        }
        let signature = &self.spec.function.signature;
        let returns_none = match &signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => types::is_primitive(ty),
        };
        if options.forward.is_none()
            && options.out.is_none()
            && options.gradient.is_none()
            && returns_none
        {
            errors.at(&signature.ident, format!("`{}` does not return `(value, gradient)`: name its value by `forward = ..`, or the arguments that the gradient is written to by `out(BUFFER = x)`", signature.ident));
        } else if options.out.is_none()
            && options.gradient.is_none()
            && matches!(signature.output, ReturnType::Default)
        {
            errors.at(&signature.ident, format!("`{}` returns nothing: name the arguments that the gradient is written to by `out(BUFFER = x)`, or say how it is had by `gradient = ..`", signature.ident));
        }
    }

    fn forward(&self, errors: &mut Errors) -> Option<Forward> {
        let option = self.options.forward.as_ref()?;
        leaves(&option.value, "forward", errors);
        let mut expr = &option.value;
        while let Expr::Paren(syn::ExprParen { expr: inner, .. })
        | Expr::Group(syn::ExprGroup { expr: inner, .. }) = expr
        {
            expr = inner;
        }
        let mut statements = TokenStream::new();
        let value = match expr {
            Expr::Path(path) if self.is_place(path) => {
                Value::Expr(self.kept(path.to_token_stream()))
            }
            Expr::Path(path) => Value::Call(own(path), self.forward_args(errors)),
            Expr::Closure(closure) if closure.inputs.is_empty() => {
                Value::Call(own(quote!((#closure))), Vec::new())
            }
            Expr::Closure(closure) => {
                let args = self.forward_args(errors);
                if closure.inputs.len() != args.len() && !args.is_empty() {
                    let names: Vec<String> =
                        args.iter().map(|arg| format!("`{}`", arg.name)).collect();
                    let inputs = &closure.inputs;
                    errors.at(
                        inputs,
                        format!(
                            "`forward` is called with the arguments of `{}`: {}",
                            self.spec.function.signature.ident,
                            names.join(", ")
                        ),
                    );
                }
                let typed = closure.inputs.iter().all(|input| matches!(input, Pat::Type(_)));
                match typed || args.len() > 8 {
                    true => Value::Call(own(quote!((#closure))), args),
                    false => Value::Untyped(own(closure), args),
                }
            }
            Expr::Block(block) if block.label.is_none() => {
                let stmts = &block.block.stmts;
                let tail = match stmts.split_last() {
                    Some((Stmt::Expr(tail, None), before)) => {
                        Some((tail.to_token_stream(), before))
                    }
                    Some((Stmt::Macro(tail), before)) if tail.semi_token.is_none() => {
                        Some((tail.to_token_stream(), before))
                    }
                    _ => None,
                };
                match tail {
                    Some((tail, before)) => {
                        statements = own(quote!(#(#before)*));
                        Value::Expr(self.kept(tail))
                    }
                    None => {
                        let message = "the block of `forward` ends without a value: end it with an expression and no `;`";
                        match stmts.last() {
                            Some(last) => errors.at(last, message),
                            None => errors.at(block, message),
                        }
                        Value::Expr(TokenStream::new())
                    }
                }
            }
            expr => Value::Expr(self.kept(expr.to_token_stream())),
        };
        Some(Forward { statements, value })
    }

    /// A path that is not to be called: the identity.
    fn is_place(&self, path: &syn::ExprPath) -> bool {
        let name = path.path.get_ident();
        name.is_some_and(|name| self.places.iter().any(|place| place.whole && place.root == *name))
    }

    /// A tail expression that leaves the variables it names to the gradient: they are cloned
    /// where the gradient, or the state, still needs them.
    fn kept(&self, tail: TokenStream) -> TokenStream {
        let keep = |expr: &Expr| match expr {
            Expr::Path(path) if path.path.get_ident().is_some_and(|name| self.needed(name)) => {
                quote!(::core::clone::Clone::clone(&#path))
            }
            expr => expr.to_token_stream(),
        };
        let kept = match syn::parse2(tail.clone()) {
            Ok(Expr::Tuple(tuple)) if tuple.attrs.is_empty() && !tuple.elems.is_empty() => {
                let elems = tuple.elems.iter().map(keep);
                quote!((#(#elems,)*))
            }
            Ok(expr @ Expr::Path(_)) => keep(&expr),
            _ => tail,
        };
        own(kept)
    }

    fn needed(&self, name: &Ident) -> bool {
        let text = name.unraw().to_string();
        if self.lets.iter().any(|local| local.name == *name) {
            return match &self.options.gradient {
                Some(gradient) => mentions(&gradient.value.to_token_stream(), &text),
                None => self.params.iter().any(|param| {
                    param.name.as_ref().is_some_and(|param| matches_name(param, name))
                }),
            };
        }
        name == "self" || self.draws.iter().any(|draw| draw == name)
    }

    fn gradient(&self, errors: &mut Errors) -> Gradient {
        if let Some(gradient) = &self.options.gradient {
            leaves(&gradient.value, "gradient", errors);
            return Gradient::Expr(own(&gradient.value));
        }
        let signature = &self.spec.function.signature;
        let name = &signature.ident;
        let args = self.args(true, errors);
        let turbofish = self.turbofish();
        let Some(owner) = &self.spec.owner else {
            return Gradient::Function(quote!(self::#name #turbofish), args);
        };
        let implemented = owner.implemented.as_ref().map(|path| {
            let ty: Type = syn::parse_quote!(#path);
            self.scope.outside(&ty).unwrap_or(ty)
        });
        match (self.receiver(errors), implemented) {
            (Some(receiver), None) => Gradient::Method(name.clone(), turbofish, receiver, args),
            (Some(receiver), Some(path)) => {
                let args = [receiver].into_iter().chain(args).collect();
                Gradient::Function(quote!(<_ as #path>::#name #turbofish), args)
            }
            (None, implemented) => {
                let ty = self.scope.outside(&owner.self_ty).unwrap_or(owner.self_ty.clone());
                let of = implemented.map(|path| quote!(as #path));
                Gradient::Function(quote!(<#ty #of>::#name #turbofish), args)
            }
        }
    }

    /// Type arguments that the call's arguments cannot fix, `::<F, _>`, when `types` gives any.
    fn turbofish(&self) -> TokenStream {
        let generics = &self.spec.function.signature.generics;
        let known = |name: &Ident| self.scope.known.iter().any(|known| name == known);
        let mut arguments = Vec::new();
        let mut any = false;
        for param in &generics.params {
            match param {
                GenericParam::Type(param) if known(&param.ident) => {
                    any = true;
                    arguments.push(param.ident.to_token_stream());
                }
                GenericParam::Type(_) => arguments.push(quote!(_)),
                GenericParam::Const(param) if known(&param.ident) => {
                    any = true;
                    arguments.push(param.ident.to_token_stream());
                }
                // `_` for a const is younger than the oldest compiler supported
                GenericParam::Const(_) => return TokenStream::new(),
                GenericParam::Lifetime(_) => {}
            }
        }
        if any { quote!(::<#(#arguments),*>) } else { TokenStream::new() }
    }

    /// How `self` is handed to the method.
    fn receiver(&self, errors: &mut Errors) -> Option<Arg> {
        let receiver = self.spec.function.signature.receiver()?;
        let pass = match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => Pass::Ref { depth: 1 },
            ReceiverKind::Reference(_, _, Some(_)) => Pass::RefMut,
            ReceiverKind::Typed(_, ty) => types::pass(ty),
            _ => Pass::Value,
        };
        let name = match self.draws.iter().find(|draw| *draw == "__self") {
            Some(name) => name.clone(),
            None => {
                errors.at(receiver, "nothing binds `self`: add `self in STRATEGY`");
                drawn_self(Span::mixed_site())
            }
        };
        Some(Arg { name, pass, source: Source::Draw, ty: None })
    }

    /// The function's arguments as `forward` gets them: without buffers, cotangent and tangent.
    fn forward_args(&self, errors: &mut Errors) -> Vec<Arg> {
        // the gradient's call says what is missing
        let mut said = Errors::default();
        let errors = if self.options.gradient.is_some() { errors } else { &mut said };
        let mut args: Vec<Arg> = self.receiver(errors).into_iter().collect();
        args.extend(self.args(false, errors));
        args
    }

    fn args(&self, gradient: bool, errors: &mut Errors) -> Vec<Arg> {
        let mut args = Vec::new();
        for param in &self.params {
            let Some(param_name) = &param.name else {
                errors.at(&param.tokens, "this argument has no name to be called by: give it one, or say how the gradient is had by `gradient = ..`");
                continue;
            };
            if !gradient && self.is_special(param_name) {
                continue;
            }
            let Some((name, source)) = self.lookup(param_name, gradient) else {
                errors.at(param_name, self.unbound(param_name));
                continue;
            };
            let mut pass = types::pass(param.ty);
            let mut source = source;
            if source == Source::Buffer {
                pass = types::buffer(param.ty).map_or(Pass::RefMut, |(_, pass)| pass);
            } else if source == (Source::Local { rebind: true })
                && pass != Pass::RefMut
                && pass != Pass::ViewMut
            {
                source = Source::Local { rebind: false };
            }
            args.push(Arg { name, pass, source, ty: self.scope.outside(param.ty) });
        }
        args
    }

    /// A buffer, or a part of the cotangent or tangent.
    fn is_special(&self, param: &Ident) -> bool {
        self.buffers.iter().any(|buffer| matches_name(param, &buffer.name))
            || self.product.iter().any(|local| matches_name(param, &local.name))
    }

    /// The variable that goes by a parameter's name.
    fn lookup(&self, param: &Ident, gradient: bool) -> Option<(Ident, Source)> {
        let locals = |locals: &[Local], same: &dyn Fn(&Ident) -> bool| {
            locals
                .iter()
                .find(|local| same(&local.name))
                .map(|local| (local.name.clone(), Source::Local { rebind: !local.mutable }))
        };
        let by = |same: &dyn Fn(&Ident) -> bool| {
            let special = || {
                let buffer = self.buffers.iter().find(|buffer| same(&buffer.name));
                buffer
                    .map(|buffer| (buffer.name.clone(), Source::Buffer))
                    .or_else(|| locals(&self.product, same))
                    .or_else(|| locals(&self.lets, same))
            };
            let plain = |names: &[Ident], source| {
                names.iter().find(|name| same(name)).map(|name| (name.clone(), source))
            };
            gradient
                .then(special)
                .flatten()
                .or_else(|| plain(&self.draws, Source::Draw))
                .or_else(|| plain(&self.dims, Source::Dim))
        };
        by(&|name| name.unraw() == param.unraw())
            .or_else(|| by(&|name| matches_name(param, name)))
            .or_else(|| {
                let unknown = gradient && self.lets_unknown;
                unknown.then(|| (param.clone(), Source::Local { rebind: false }))
            })
    }

    fn unbound(&self, param: &Ident) -> String {
        let names: Vec<String> = [&self.draws, &self.dims]
            .into_iter()
            .flatten()
            .chain(self.lets.iter().chain(&self.product).map(|local| &local.name))
            .filter(|name| {
                *name != "__self" && !self.params.iter().any(|p| p.name.as_ref() == Some(*name))
            })
            .map(ToString::to_string)
            .collect();
        let function = &self.spec.function.signature.ident;
        let by_let = match &self.options.forward {
            Some(forward) if matches!(forward.value, Expr::Block(_)) => {
                ", bind it by a `let` of `forward`,"
            }
            _ => "",
        };
        match nearest(&param.to_string(), names.iter().map(String::as_str)) {
            Some(near) => {
                format!("nothing binds the argument `{param}` of `{function}`: is `{near}` meant?")
            }
            None => format!(
                "nothing binds the argument `{param}` of `{function}`: draw it, `{param} in STRATEGY`{by_let} or say how the gradient is had by `gradient = ..`"
            ),
        }
    }

    /// Dims and draws that nothing uses.
    fn unused(&self, errors: &mut Errors) {
        let options = self.options;
        let mut uses: Vec<(Option<&Ident>, TokenStream)> = Vec::new();
        for dim in options.dims.iter().flat_map(|dims| &dims.value) {
            uses.push((Some(&dim.name), own(&dim.range)));
        }
        for draw in &options.draws {
            uses.push((None, own(&draw.strategy)));
        }
        for option in [&options.forward, &options.gradient].into_iter().flatten() {
            uses.push((None, own(&option.value)));
        }
        for place in options.wrt.iter().flat_map(|wrt| &wrt.value) {
            uses.push((None, own(place)));
        }
        for out in options.out.iter().flat_map(|out| &out.value) {
            uses.push((None, own(&out.place)));
        }
        let by_name = options.gradient.is_none()
            || matches!(
                options.forward.as_ref().map(|forward| &forward.value),
                Some(Expr::Path(_) | Expr::Closure(_))
            );
        for name in self.dims.iter().chain(&self.draws) {
            let text = name.unraw().to_string();
            let passed = by_name
                && (name == "__self"
                    || self.params.iter().any(|param| {
                        param.name.as_ref().is_some_and(|param| matches_name(param, name))
                    }));
            let named =
                uses.iter().any(|(by, tokens)| *by != Some(name) && mentions(tokens, &text));
            if !passed && !named && (name == "__self" || !text.starts_with('_')) {
                let shown = if name == "__self" { "self" } else { &text };
                errors.at(
                    name,
                    format!("nothing uses `{shown}`: take it out, or write it `_{shown}`"),
                );
            }
        }
    }

    /// Type parameters that no argument can fix.
    fn generics(&self, errors: &mut Errors) {
        let signature = &self.spec.function.signature;
        if let Some(types) = &self.options.types {
            let mut seen: Vec<&Ident> = Vec::new();
            for types in &types.value {
                let parameter = &types.parameter;
                let declared =
                    self.scope.generics.iter().any(|generics| {
                        generics.params.iter().any(|param| declares(param, parameter))
                    });
                let name = parameter.to_string();
                let named =
                    self.options.draws.iter().any(|draw| {
                        mentions(&draw.strategy.to_token_stream(), &name)
                            || mentions(&draw.ty.to_token_stream(), &name)
                    }) || self
                        .options
                        .forward
                        .as_ref()
                        .is_some_and(|forward| mentions(&forward.value.to_token_stream(), &name))
                        || self.options.gradient.as_ref().is_some_and(|gradient| {
                            mentions(&gradient.value.to_token_stream(), &name)
                        });
                if !declared && !named {
                    errors.at(
                        parameter,
                        format!("`{parameter}` is no generic parameter of `{}`", signature.ident),
                    );
                }
                if seen.contains(&parameter) {
                    errors.at(parameter, format!("`{parameter}` is given twice"));
                }
                seen.push(parameter);
            }
        }
        if self.options.gradient.is_some() {
            return;
        }
        let inputs = signature.inputs.to_token_stream();
        for param in &signature.generics.params {
            let GenericParam::Type(param) = param else { continue };
            let name = param.ident.to_string();
            if self.scope.known.contains(&name) || param.default.is_some() {
                continue;
            }
            let bounds: TokenStream = signature
                .generics
                .params
                .iter()
                .filter(|other| !declares(other, &param.ident))
                .map(ToTokens::to_token_stream)
                .collect();
            let clauses = signature.generics.where_clause.to_token_stream();
            let others = clauses.to_string().matches(&name).count();
            if !mentions(&inputs, &name) && !mentions(&bounds, &name) && others <= 1 {
                errors.at(&param.ident, format!("no argument of `{}` says what `{name}` is: add `types({name} = [f32, f64])`", signature.ident));
            }
        }
    }

    fn draws(&self) -> Vec<Draw> {
        let exact = self.options.exact.as_ref().map(|exact| exact.value.to_string());
        let draw = |draw: &crate::attr::Draw| {
            let range = types::is_range(&draw.strategy);
            let (text, pattern, pins) = match &draw.pattern {
                Drawn::Self_(token) => {
                    let name = drawn_self(token.span);
                    let pins = self.pin_self(&name).into_iter().collect();
                    ("self".to_owned(), name.to_token_stream(), pins)
                }
                Drawn::Pattern(pat) => {
                    let names = if draw.ty.is_some() { Vec::new() } else { types::bound(pat) };
                    let pins = names.into_iter().filter_map(|name| self.pin(name, range)).collect();
                    (written(pat), mutable(pat), pins)
                }
            };
            let exact = exact.as_ref().is_some_and(|exact| {
                mentions(&draw.strategy.to_token_stream(), exact)
                    || mentions(&draw.ty.to_token_stream(), exact)
            });
            let (ty, strategy) = (draw.ty.clone(), own(&draw.strategy));
            Draw { text, pattern, ty, strategy, range, pins, exact }
        };
        self.options.draws.iter().map(draw).collect()
    }

    /// The type of a draw follows from the parameter that it goes to or, more loosely, from the
    /// gradient with respect to it.
    fn pin(&self, name: Ident, range: bool) -> Option<Pin> {
        let param = self
            .params
            .iter()
            .find(|param| param.name.as_ref().is_some_and(|param| matches_name(param, &name)));
        let Some(param) = param else {
            let ty = self.scope.outside(self.returned(&name)?)?;
            return Some(Pin { name, ty, pass: Pass::Value, certain: false });
        };
        let ty = self.scope.outside(param.ty)?;
        let direct = matches!(
            self.lookup(param.name.as_ref()?, true), Some((bound, Source::Draw)) if bound == name
        );
        let certain =
            (direct && self.options.gradient.is_none()) || (range && types::is_primitive(param.ty));
        Some(Pin { name, ty, pass: types::pass(param.ty), certain })
    }

    /// The part of the function's return type that is the gradient with respect to a draw.
    fn returned(&self, name: &Ident) -> Option<&Type> {
        let place = self.places.iter().position(|place| place.whole && place.root == *name)?;
        if self.options.gradient.is_some() || self.options.out.is_some() {
            return None;
        }
        let ReturnType::Type(_, ty) = &self.spec.function.signature.output else { return None };
        let mut ty = types::peel(ty);
        if types::is_fallible(&self.spec.function.signature.output) {
            ty = types::first_argument(ty)?;
        }
        if self.options.forward.is_none() {
            ty = types::component(ty, 1, 2)?;
        }
        match self.places.len() {
            1 => Some(ty),
            places => types::component(ty, place, places),
        }
    }

    fn pin_self(&self, name: &Ident) -> Option<Pin> {
        let ty = self.scope.outside(&self.spec.owner.as_ref()?.self_ty)?;
        let certain = self.options.gradient.is_none();
        Some(Pin { name: name.clone(), ty, pass: Pass::Value, certain })
    }

    fn module(&self, errors: &mut Errors) -> String {
        if let Some(name) = &self.options.name {
            let text = match &name.value {
                Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                Expr::Path(path) => path.path.get_ident().map(|ident| ident.unraw().to_string()),
                _ => None,
            };
            let text = text.filter(|text| syn::parse_str::<Ident>(&format!("_{text}")).is_ok());
            return match text {
                Some(text) if text.starts_with("gradcheck_") => text,
                Some(text) => format!("gradcheck_{text}"),
                None => {
                    errors.at(&name.value, "expected a name for the tests' module: `name = \"other\"` makes `gradcheck_other`");
                    String::new()
                }
            };
        }
        let function = self.spec.function.signature.ident.unraw();
        match &self.spec.owner {
            Some(owner) => {
                let ty = match types::last_segment(&owner.self_ty) {
                    Some(segment) => snake_case(&segment.ident.unraw().to_string()),
                    None => sanitised(&owner.self_ty),
                };
                format!("gradcheck_{ty}_{function}")
            }
            None => format!("gradcheck_{function}"),
        }
    }

    fn self_type(&self, errors: &mut Errors) -> Option<SelfType> {
        let (token, owner) = (self.options.self_type.as_ref()?, self.spec.owner.as_ref()?);
        let mut lifetimes = Vec::new();
        for param in &owner.generics.params {
            let open = match param {
                GenericParam::Lifetime(param) => {
                    lifetimes.push(param);
                    None
                }
                GenericParam::Type(param) => Some(&param.ident),
                GenericParam::Const(param) => Some(&param.ident),
            };
            if let Some(open) =
                open.filter(|open| !self.scope.known.iter().any(|known| *open == known))
            {
                errors.at(token, format!("`Self` is generic over `{open}` here: name the type instead, or add `types({open} = [..])`"));
                return None;
            }
        }
        let ty = owner.self_ty.clone();
        let inferred =
            self.scope.outside(&ty).map_or(ty.to_token_stream(), |ty| ty.to_token_stream());
        Some(SelfType { lifetimes: quote!(<#(#lifetimes),*>), ty, inferred })
    }

    /// Every combination of the choices of `types`.
    fn instances(&self, errors: &mut Errors) -> Vec<Instance> {
        let mut instances = vec![Instance { name: None, aliases: TokenStream::new() }];
        for types in self.options.types.iter().flat_map(|types| &types.value) {
            let parameter = &types.parameter;
            let params = self.scope.generics.iter().flat_map(|generics| &generics.params);
            let value = params.into_iter().find_map(|param| match param {
                GenericParam::Const(param) if param.ident == *parameter => Some(&param.ty),
                _ => None,
            });
            let mut next = Vec::new();
            for instance in &instances {
                for choice in &types.choices {
                    let alias = match value {
                        Some(ty) => quote!(const #parameter: #ty = #choice;),
                        None => quote!(type #parameter = #choice;),
                    };
                    let choice = sanitised(choice);
                    let mut name = match &instance.name {
                        Some(name) => format!("{name}_{}", choice.trim_start_matches('_')),
                        None => choice,
                    };
                    while next.iter().any(|other: &Instance| other.name.as_ref() == Some(&name)) {
                        name.push('_');
                    }
                    let before = &instance.aliases;
                    next.push(Instance { name: Some(name), aliases: quote!(#before #alias) });
                }
            }
            instances = next;
            if instances.len() > 100 {
                errors.at(parameter, "more than 100 combinations of types");
                break;
            }
        }
        instances
    }

    fn shards(&self, errors: &mut Errors) -> Option<u32> {
        let shards = self.options.shards.as_ref()?;
        let number = match &shards.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=MOST_SHARDS).contains(number));
        if number.is_none() {
            errors.at(&shards.value, format!("expected a number from 1 to {MOST_SHARDS}, written out: each shard becomes a test"));
        }
        number
    }

    fn allow_zero(&self) -> Vec<String> {
        let paths = self.options.allow_zero.iter().flat_map(|paths| &paths.value);
        paths
            .map(|path| match syn::parse2::<syn::LitStr>(path.clone()) {
                Ok(text) => text.value(),
                Err(_) => written(path),
            })
            .collect()
    }

    fn param(&self, name: &Ident) -> Option<&Param<'a>> {
        self.params
            .iter()
            .find(|param| param.name.as_ref().is_some_and(|param| matches_name(param, name)))
    }

    fn param_names(&self) -> Vec<String> {
        self.params
            .iter()
            .filter_map(|param| param.name.as_ref().map(ToString::to_string))
            .collect()
    }
}

/// Whether a parameter goes by a variable's name: a leading `_` of the parameter does not count.
fn matches_name(param: &Ident, name: &Ident) -> bool {
    let (param, name) = (param.unraw().to_string(), name.unraw().to_string());
    param == name || param.trim_start_matches('_') == name
}

fn declares(param: &GenericParam, name: &Ident) -> bool {
    match param {
        GenericParam::Type(param) => param.ident == *name,
        GenericParam::Const(param) => param.ident == *name,
        GenericParam::Lifetime(_) => false,
    }
}

/// The pattern with its variables made `mut`, so that `&mut` of them can be lent.
fn mutable(pat: &Pat) -> TokenStream {
    struct Mutable;
    impl syn::visit_mut::VisitMut for Mutable {
        fn visit_pat_ident_mut(&mut self, pat: &mut syn::PatIdent) {
            if pat.by_ref.is_none()
                && !pat.ident.to_string().starts_with(|c: char| c.is_uppercase())
            {
                pat.mutability.get_or_insert_default();
            }
            syn::visit_mut::visit_pat_ident_mut(self, pat);
        }
    }
    let mut pat = pat.clone();
    syn::visit_mut::VisitMut::visit_pat_mut(&mut Mutable, &mut pat);
    own(pat)
}

/// Says which `return` and `?` would leave the generated code.
fn leaves(expr: &Expr, option: &str, errors: &mut Errors) {
    struct Leaves<'a>(&'a str, &'a mut Errors);
    impl<'ast> Visit<'ast> for Leaves<'_> {
        fn visit_expr_return(&mut self, expr: &'ast syn::ExprReturn) {
            let Leaves(option, errors) = self;
            errors.at(expr.return_token, format!("`return` cannot leave `{option}`: make it the block's value, or move it into a function"));
            syn::visit::visit_expr_return(self, expr);
        }
        fn visit_expr_try(&mut self, expr: &'ast syn::ExprTry) {
            let Leaves(option, errors) = self;
            errors.at(expr.question_token, format!("`?` cannot leave `{option}`: end with the `Result`, which is unwrapped with its error shown, or move it into a function"));
            syn::visit::visit_expr_try(self, expr);
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_expr_try_block(&mut self, _: &'ast syn::ExprTryBlock) {}
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    Leaves(option, errors).visit_expr(expr);
}

/// An identifier for generated items, shown at the function's name.
pub(crate) fn generated(name: &str, span: Span) -> Ident {
    Ident::new(name, Span::call_site().located_at(span))
}
