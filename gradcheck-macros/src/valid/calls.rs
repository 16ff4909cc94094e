//! The calls that the driver makes: the forward, and the gradient with its arguments by name.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Expr, GenericParam, Pat, ReceiverKind, Stmt, Type};

use super::names::matches_name;
use super::{Arg, Checker, Forward, Gradient, Source, Value};
use crate::ast::own;
use crate::tokens::{Errors, drawn_self, located, mentions};
use crate::types::{self, Pass};

/// The runtime calls untyped closures with at most this many arguments.
const MOST_UNTYPED: usize = 8;

impl Checker<'_> {
    pub(super) fn forward(&self, errors: &mut Errors) -> Option<Forward> {
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
            Expr::Closure(closure) => self.closure(closure, errors),
            Expr::Block(block) if block.label.is_none() => match split_tail(&block.block.stmts) {
                Some((before, tail)) => {
                    statements = own(quote!(#(#before)*));
                    Value::Expr(self.kept(tail))
                }
                None => {
                    let message = "the block of `forward` ends without a value: end it with an \
                                   expression and no `;`";
                    match block.block.stmts.last() {
                        Some(last) => errors.at(last, message),
                        None => errors.at(block, message),
                    }
                    Value::Expr(TokenStream::new())
                }
            },
            expr => Value::Expr(self.kept(expr.to_token_stream())),
        };
        Some(Forward { statements, value })
    }

    fn closure(&self, closure: &syn::ExprClosure, errors: &mut Errors) -> Value {
        let args = self.forward_args(errors);
        if closure.inputs.len() != args.len() && !args.is_empty() {
            let names: Vec<String> = args.iter().map(|arg| format!("`{}`", arg.name)).collect();
            let function = &self.spec.function.signature.ident;
            let names = names.join(", ");
            errors.at(
                &closure.inputs,
                format!("`forward` is called with the arguments of `{function}`: {names}"),
            );
        }
        let typed = closure.inputs.iter().all(|input| matches!(input, Pat::Type(_)));
        match typed || args.len() > MOST_UNTYPED {
            true => Value::Call(own(quote!((#closure))), args),
            false => Value::Untyped(own(closure), args),
        }
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

    pub(super) fn gradient(&self, errors: &mut Errors) -> Gradient {
        if let Some(gradient) = &self.options.gradient {
            leaves(&gradient.value, "gradient", errors);
            return Gradient::Expr(own(&gradient.value));
        }
        let signature = &self.spec.function.signature;
        let name = &signature.ident;
        let args = self.args(true, errors);
        let turbofish = self.turbofish();
        let Some(owner) = &self.spec.owner else {
            return Gradient::Function(located(quote!(self::#name #turbofish), name.span()), args);
        };
        let implemented = owner.implemented.as_ref().map(|path| {
            let ty: Type = syn::parse_quote!(#path);
            self.scope.outside(&ty).unwrap_or(ty)
        });
        match (self.receiver(errors), implemented) {
            (Some(receiver), None) => {
                Gradient::Method(name.clone(), turbofish, Box::new(receiver), args)
            }
            (Some(receiver), Some(path)) => {
                let args = [receiver].into_iter().chain(args).collect();
                let callee = quote!(<_ as #path>::#name #turbofish);
                Gradient::Function(located(callee, name.span()), args)
            }
            (None, implemented) => {
                let ty = self.scope.outside(&owner.self_ty).unwrap_or(owner.self_ty.clone());
                let of = implemented.map(|path| quote!(as #path));
                let callee = quote!(<#ty #of>::#name #turbofish);
                Gradient::Function(located(callee, name.span()), args)
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
                errors.at(
                    &param.tokens,
                    "this argument has no name to be called by: give it one, or say how the \
                     gradient is had by `gradient = ..`",
                );
                continue;
            };
            if !gradient && self.is_special(param_name) {
                continue;
            }
            let Some((name, source)) = self.lookup(param_name, gradient) else {
                self.unbound(param_name, gradient, errors);
                continue;
            };
            let mut pass = types::pass(param.ty);
            let mut source = source;
            if source == Source::Buffer {
                pass = types::buffer(param.ty).map_or(Pass::RefMut, |(_, pass)| pass);
            } else if source == (Source::Local { rebind: true })
                && !matches!(pass, Pass::RefMut | Pass::ViewMut(_))
            {
                source = Source::Local { rebind: false };
            }
            args.push(Arg { name, pass, source, ty: self.scope.outside(param.ty) });
        }
        args
    }
}

/// The statements of a block and the expression that it ends with.
fn split_tail(stmts: &[Stmt]) -> Option<(&[Stmt], TokenStream)> {
    let (last, before) = stmts.split_last()?;
    match last {
        Stmt::Expr(tail, None) => Some((before, tail.to_token_stream())),
        Stmt::Macro(tail) if tail.semi_token.is_none() => Some((before, tail.to_token_stream())),
        _ => None,
    }
}

/// Says which `return` and `?` would leave the generated code.
fn leaves(expr: &Expr, option: &str, errors: &mut Errors) {
    struct Leaves<'a>(&'a str, &'a mut Errors);
    impl<'ast> Visit<'ast> for Leaves<'_> {
        fn visit_expr_return(&mut self, expr: &'ast syn::ExprReturn) {
            let Leaves(option, errors) = self;
            errors.at(
                expr.return_token,
                format!(
                    "`return` cannot leave `{option}`: make it the block's value, or move it \
                 into a function"
                ),
            );
            syn::visit::visit_expr_return(self, expr);
        }
        fn visit_expr_try(&mut self, expr: &'ast syn::ExprTry) {
            let Leaves(option, errors) = self;
            errors.at(
                expr.question_token,
                format!(
                    "`?` cannot leave `{option}`: end with the `Result`, which is unwrapped \
                 with its error shown, or move it into a function"
                ),
            );
            syn::visit::visit_expr_try(self, expr);
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_expr_try_block(&mut self, _: &'ast syn::ExprTryBlock) {}
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    Leaves(option, errors).visit_expr(expr);
}
