//! What can be told from types as they are written.
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::visit_mut::VisitMut;
use syn::{Expr, GenericArgument, GenericParam, Generics, Pat, PathArguments, ReturnType, Type};

use crate::tokens::mentions;

/// Types whose values are copied and whose draws may be bare ranges.
const PRIMITIVES: [&str; 17] = [
    "f32", "f64", "usize", "u8", "u16", "u32", "u64", "u128", "isize", "i8", "i16", "i32", "i64",
    "i128", "bool", "char", "f16",
];

/// How a variable is handed to a parameter, as the parameter's type asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// `&x`, or `&&x`.
    Ref { depth: usize },
    /// `&mut x`.
    RefMut,
    /// `x.view()`, for an `ArrayView` by value, or what other views are made by.
    View(&'static str),
    /// `x.view_mut()`, for an `ArrayViewMut` by value, or what other views are made by.
    ViewMut(&'static str),
    /// `x.as_ref()`, for an `Option<&T>`.
    OptionRef,
    /// `x.as_deref()`, for an `Option<&[T]>` or an `Option<&str>`.
    OptionDeref,
    /// `x.as_mut()`, for an `Option<&mut T>`.
    OptionMut,
    /// `x`, by value.
    Copy,
    /// A clone of `x`, or `x` itself where it is not needed any more.
    Value,
}

pub(crate) fn pass(ty: &Type) -> Pass {
    match peel(ty) {
        Type::Reference(reference) if reference.mutability.is_some() => Pass::RefMut,
        Type::Reference(reference) => match pass(&reference.elem) {
            Pass::Ref { depth } => Pass::Ref { depth: depth + 1 },
            _ => Pass::Ref { depth: 1 },
        },
        ty => {
            let name = last_segment(ty).map(|segment| segment.ident.to_string());
            match name.as_deref() {
                Some(name) if view(name).is_some() => view(name).unwrap_or(Pass::Value),
                Some("Option") => match first_argument(ty).map(peel) {
                    Some(Type::Reference(inner)) if inner.mutability.is_some() => Pass::OptionMut,
                    Some(Type::Reference(inner)) => match &*inner.elem {
                        Type::Slice(_) => Pass::OptionDeref,
                        elem if is_named(elem, "str") => Pass::OptionDeref,
                        _ => Pass::OptionRef,
                    },
                    _ => Pass::Value,
                },
                Some(name) if is_primitive(ty) && PRIMITIVES.contains(&name) => Pass::Copy,
                _ => Pass::Value,
            }
        }
    }
}

/// How a view of this name is made: those of ndarray, nalgebra and faer.
fn view(name: &str) -> Option<Pass> {
    const SIZES: [&str; 9] = ["", "0", "1", "2", "3", "4", "5", "6", "D"];
    let sized = |view: &str| name.strip_prefix(view).is_some_and(|size| SIZES.contains(&size));
    if sized("ArrayViewMut") {
        return Some(Pass::ViewMut("view_mut"));
    }
    if sized("ArrayView") {
        return Some(Pass::View("view"));
    }
    match name {
        "MatRef" | "ColRef" | "RowRef" => return Some(Pass::View("as_ref")),
        "MatMut" | "ColMut" | "RowMut" => return Some(Pass::ViewMut("as_mut")),
        _ => {}
    }
    let (kind, _) = name.split_once("View")?;
    let kinds = ["Matrix", "DMatrix", "SMatrix", "Vector", "DVector", "SVector"];
    kinds.contains(&kind).then(|| match name.contains("Mut") {
        true => Pass::ViewMut("as_view_mut"),
        false => Pass::View("as_view"),
    })
}

/// A primitive number, `bool` or `char`.
pub(crate) fn is_primitive(ty: &Type) -> bool {
    PRIMITIVES.iter().any(|name| is_named(ty, name))
}

/// An array, a vector, a slice or a number, or a reference to one: a single block of parameters.
pub(crate) fn is_array(ty: &Type) -> bool {
    match peel(ty) {
        Type::Reference(reference) => is_array(&reference.elem),
        Type::Slice(_) | Type::Array(_) => true,
        ty => {
            let is = |segment: &syn::PathSegment| {
                let name = segment.ident.to_string();
                name.starts_with("Array") || name == "Vec"
            };
            is_primitive(ty) || last_segment(ty).is_some_and(is)
        }
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(peel(ty), Type::Path(path) if path.qself.is_none() && path.path.is_ident(name))
}

/// The type without parentheses and invisible groups.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => peel(&paren.elem),
        Type::Group(group) => peel(&group.elem),
        ty => ty,
    }
}

pub(crate) fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match peel(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// `T` of `Option<T>`.
pub(crate) fn first_argument(ty: &Type) -> Option<&Type> {
    match &last_segment(ty)?.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Component `index` of a tuple type of `length` components.
pub(crate) fn component(ty: &Type, index: usize, length: usize) -> Option<&Type> {
    match peel(ty) {
        Type::Tuple(tuple) if tuple.elems.len() == length => tuple.elems.get(index),
        _ => None,
    }
}

/// What an argument that the gradient is written to is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// A `Vec`, lent as a slice.
    Slice,
    /// An array, whose type is inferred from the call: a Jacobian's differs from its target's.
    Array,
    /// The type of its target.
    Same,
}

/// How a buffer is made and lent: by `&mut`, by `Some(&mut)` or by a mutable view.
pub(crate) fn buffer(ty: &Type) -> Option<(Storage, Pass)> {
    let lent = |ty: &Type| match peel(ty) {
        Type::Reference(reference) if reference.mutability.is_some() => {
            Some(storage(&reference.elem))
        }
        _ => None,
    };
    match pass(ty) {
        Pass::RefMut => lent(ty).map(|storage| (storage, Pass::RefMut)),
        Pass::OptionMut => {
            first_argument(ty).and_then(lent).map(|storage| (storage, Pass::OptionMut))
        }
        Pass::ViewMut("view_mut") => Some((Storage::Array, Pass::ViewMut("view_mut"))),
        Pass::ViewMut(by) => Some((Storage::Same, Pass::ViewMut(by))),
        _ => None,
    }
}

fn storage(ty: &Type) -> Storage {
    match peel(ty) {
        Type::Slice(_) => Storage::Slice,
        Type::Array(_) => Storage::Array,
        ty => match last_segment(ty).map(|segment| segment.ident.to_string()).as_deref() {
            Some(
                "Array" | "Array0" | "Array1" | "Array2" | "Array3" | "Array4" | "Array5"
                | "Array6" | "ArrayD" | "DMatrix" | "DVector" | "Mat" | "Col",
            ) => Storage::Array,
            _ => Storage::Same,
        },
    }
}

/// Whether a call gives a `Result` or an `Option`.
pub(crate) fn is_fallible(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => last_segment(ty)
            .is_some_and(|segment| segment.ident == "Result" || segment.ident == "Option"),
    }
}

/// The generic parameters in whose scope a type stands.
pub(crate) struct Scope<'a> {
    pub(crate) generics: Vec<&'a Generics>,
    /// Those that stand for themselves, as `type T = f32;` says what they are.
    pub(crate) known: Vec<String>,
    pub(crate) self_ty: Option<&'a Type>,
}

impl Scope<'_> {
    /// The type as it can be written outside the function: `_` for a type parameter, `'_` for a
    /// lifetime. None where that says nothing or is not possible.
    pub(crate) fn outside(&self, ty: &Type) -> Option<Type> {
        let mut outside = Outside { scope: self, possible: true };
        let mut ty = ty.clone();
        outside.visit_type_mut(&mut ty);
        let consts = self.params().any(|param| {
            matches!(param, GenericParam::Const(param)
                if !self.is_known(&param.ident) && mentions(&ty.to_token_stream(), &param.ident.to_string()))
        });
        let says_nothing = match peel(&ty) {
            Type::Reference(reference) => matches!(peel(&reference.elem), Type::Infer(_)),
            Type::Infer(_) => true,
            _ => false,
        };
        (outside.possible && !consts && !says_nothing).then_some(ty)
    }

    fn params(&self) -> impl Iterator<Item = &GenericParam> {
        self.generics.iter().flat_map(|generics| &generics.params)
    }

    fn is_known(&self, name: &Ident) -> bool {
        self.known.iter().any(|known| name == known)
    }

    fn is_unknown_type(&self, name: &Ident) -> bool {
        !self.is_known(name)
            && self
                .params()
                .any(|param| matches!(param, GenericParam::Type(param) if param.ident == *name))
    }
}

struct Outside<'a> {
    scope: &'a Scope<'a>,
    possible: bool,
}

impl VisitMut for Outside<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::ImplTrait(_) => *ty = syn::parse_quote!(_),
            Type::Path(path) if path.qself.is_none() => {
                let first = &path.path.segments[0].ident;
                let single = path.path.segments.len() == 1;
                if first == "Self" {
                    match self.scope.self_ty {
                        Some(self_ty) if single => {
                            *ty = self_ty.clone();
                            if !mentions(&ty.to_token_stream(), "Self") {
                                self.visit_type_mut(ty);
                            }
                            return;
                        }
                        _ => self.possible = false,
                    }
                } else if self.scope.is_unknown_type(first) {
                    match single {
                        true => *ty = syn::parse_quote!(_),
                        false => self.possible = false,
                    }
                    return;
                }
                syn::visit_mut::visit_type_mut(self, ty);
            }
            Type::FnPtr(_)
            | Type::TraitObject(_)
            | Type::Macro(_)
            | Type::Never(_)
            | Type::Ptr(_)
            | Type::Verbatim(_)
            | Type::Path(_) => self.possible = false,
            _ => syn::visit_mut::visit_type_mut(self, ty),
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime = None;
        self.visit_type_mut(&mut reference.elem);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut syn::Lifetime) {
        if lifetime.ident != "static" {
            *lifetime = syn::Lifetime::new("'_", lifetime.span());
        }
    }
}

/// Whether an identifier in a pattern that always matches is a variable. `W1` and `X` are, upper
/// case or not: a constant could not stand there, and of variants only `None` is seen in `let ..
/// else`.
pub(crate) fn is_variable(pat: &syn::PatIdent) -> bool {
    pat.subpat.is_some() || pat.ident != "None"
}

/// The identifiers that a pattern binds, in order.
pub(crate) fn bound(pat: &Pat) -> Vec<Ident> {
    struct Bound(Vec<Ident>);
    impl<'ast> syn::visit::Visit<'ast> for Bound {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            if is_variable(pat) {
                self.0.push(pat.ident.clone());
            }
            syn::visit::visit_pat_ident(self, pat);
        }
        fn visit_expr(&mut self, _: &'ast Expr) {}
    }
    let mut names = Bound(Vec::new());
    syn::visit::Visit::visit_pat(&mut names, pat);
    names.0
}

/// The identifiers that a pattern binds without `mut`.
pub(crate) fn bound_immutably(pat: &Pat) -> Vec<Ident> {
    struct Bound(Vec<Ident>);
    impl<'ast> syn::visit::Visit<'ast> for Bound {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            if pat.mutability.is_none() && pat.by_ref.is_none() {
                self.0.push(pat.ident.clone());
            }
            syn::visit::visit_pat_ident(self, pat);
        }
        fn visit_expr(&mut self, _: &'ast Expr) {}
    }
    let mut names = Bound(Vec::new());
    syn::visit::Visit::visit_pat(&mut names, pat);
    names.0
}

/// The variable at the root of a place: `layers` of `layers[0].bias`.
pub(crate) fn root(place: &Expr) -> Option<&Ident> {
    match place {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::Paren(paren) => root(&paren.expr),
        Expr::Group(group) => root(&group.expr),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => root(&unary.expr),
        _ => None,
    }
}

/// Whether the expression is a range as it stands, `0..5` or `(0.0..=1.0)`.
pub(crate) fn is_range(expr: &Expr) -> bool {
    match expr {
        Expr::Range(range) => range.start.is_some() && range.end.is_some(),
        Expr::Paren(paren) => is_range(&paren.expr),
        Expr::Group(group) => is_range(&group.expr),
        _ => false,
    }
}

/// A path without its generic arguments, as an import has it.
pub(crate) fn import(path: &syn::Path) -> TokenStream {
    let leading = path.leading_colon;
    let names = path.segments.iter().map(|segment| &segment.ident);
    quote!(#leading #(#names)::*)
}
