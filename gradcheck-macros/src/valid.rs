//! A checked spec: every name resolved, and every error said at the token that caused it.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, FnArg, Pat, Type};

use crate::ast::{Owner, Spec, own};
use crate::attr::{Opt, Options, Train};
use crate::tokens::Errors;
use crate::types::{self, Pass, Scope, Storage};

mod calls;
mod consistency;
mod draws;
mod names;
mod settings;

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
    Method(Ident, TokenStream, Box<Arg>, Vec<Arg>),
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

/// Checks a spec. None when there were errors, in its options too.
pub(crate) fn check(spec: &Spec, errors: &mut Errors) -> Option<Check> {
    let before = errors.count();
    if !usable(spec, errors) {
        return None;
    }
    let checker = Checker::new(spec, errors);
    let check = checker.check(errors);
    (errors.count() == before && spec.options.unread.is_none()).then_some(check)
}

/// Whether the function is of a kind that can be checked, so that its options are worth a look.
fn usable(spec: &Spec, errors: &mut Errors) -> bool {
    let signature = &spec.function.signature;
    let name = &signature.ident;
    if let Some(token) = &signature.asyncness {
        errors.at(
            token,
            format!(
                "`{name}` is async: gradcheck runs on plain functions; check the function \
             that it awaits, or a wrapper that blocks on it"
            ),
        );
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
        errors.at(
            name,
            format!(
                "`{name}` has no body to run: put `#[gradcheck]` on an impl block, and \
             `#[gradcheck(..)]` on the method there"
            ),
        );
        return false;
    }
    let takes_self = signature.receiver().map(|receiver| receiver.self_token.to_token_stream());
    let names_self = crate::tokens::find(&signature.to_token_stream(), "Self");
    if let (Some(token), None) =
        (takes_self.or(names_self.map(ToTokens::into_token_stream)), &spec.owner)
    {
        errors.at(
            token,
            format!(
                "`{name}` is a method, and its impl block has no attribute: add a bare \
             `#[gradcheck]` to the impl block"
            ),
        );
        return false;
    }
    if spec.options.empty {
        errors.at(
            name,
            format!(
                "an attribute without arguments stands on impl blocks; a function needs \
             at least a draw: `#[gradcheck(x in normal(3), forward = loss)] fn \
             {name}`"
            ),
        );
        return false;
    }
    true
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
    /// Parameters that an error has been said about.
    excused: Vec<Ident>,
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
            excused: Vec::new(),
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
        if self.options.unread.is_none() {
            self.missing(errors);
            self.unused(errors);
        }
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
}

/// An identifier for generated items, shown at the function's name.
pub(crate) fn generated(name: &str, span: Span) -> Ident {
    Ident::new(name, Span::call_site().located_at(span))
}
