//! What is bound, and by which name: draws, places, buffers, variables of `forward`.
use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, Stmt, Type};

use super::{Buffer, Checker, Local, Param, Place, Source};
use crate::ast::own;
use crate::attr::{Drawn, Out};
use crate::tokens::{Errors, drawn_self, mentions, nearest, written};
use crate::types::{self, Storage};

impl<'a> Checker<'a> {
    /// Collects what is bound, and says what is bound twice.
    pub(super) fn names(&mut self, errors: &mut Errors) {
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
    pub(super) fn lets(&mut self) {
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

    pub(super) fn places_and_buffers(&mut self, errors: &mut Errors) {
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
                let twice = self.places.iter().any(|other| other.text == place.text);
                // of two buffers for one place, more is said with the buffers
                if twice && wrt.is_some() {
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
                    errors.at(
                        place,
                        format!(
                            "no buffer of `out` is for `{text}`: add `BUFFER = {text}`, or take it \
                         out of `wrt`"
                        ),
                    );
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
                    "`{name}` is one of `dims`, a count: derivatives are taken with respect \
                         to draws"
                )
            } else if self.lets.iter().any(|local| local.name == *root) {
                format!(
                    "`{name}` is computed in `forward`: derivatives are taken with respect to draws"
                )
            } else if let Some(near) = nearest(&name, names.iter().map(String::as_str)) {
                format!("`{name}` is not drawn, did you mean `{near}`?")
            } else if self.options.unread.is_some() {
                return None;
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
        let (name, text) = (out.buffer.clone(), written(&out.place));
        let storage = match self.param(&name) {
            Some(param) => {
                if let Type::Reference(reference) = types::peel(param.ty)
                    && reference.mutability.is_none()
                {
                    errors.at(
                        &name,
                        format!("`{name}` cannot be written to: a buffer is taken by `&mut`"),
                    );
                }
                types::buffer(param.ty).map_or(Storage::Same, |(storage, _)| storage)
            }
            None => {
                self.unknown_buffer(&name, errors);
                Storage::Same
            }
        };
        let place = self.places.iter().position(|place| place.text == text);
        match place {
            Some(place) if self.buffers.iter().any(|buffer| buffer.place == place) => {
                errors.at(&out.place, format!("`{text}` has two buffers"));
            }
            // without `wrt` the targets are the places, and what is wrong with them is said there
            None if self.options.wrt.is_some() => errors.at(
                &out.place,
                format!("`{text}` is not among `wrt`: add it there, or leave `wrt` out"),
            ),
            _ => {}
        }
        self.buffers.push(Buffer { name, added: out.added, place: place.unwrap_or(0), storage });
    }

    /// A buffer that is no argument of the function may still be written to by `gradient = ..`.
    fn unknown_buffer(&mut self, name: &Ident, errors: &mut Errors) {
        let function = &self.spec.function.signature.ident;
        let text = name.unraw().to_string();
        let gradient = self.options.gradient.as_ref();
        if gradient.is_some_and(|gradient| mentions(&gradient.value.to_token_stream(), &text)) {
            return;
        }
        let params: Vec<&Ident> =
            self.params.iter().filter_map(|param| param.name.as_ref()).collect();
        let names: Vec<String> = params.iter().map(ToString::to_string).collect();
        match nearest(&text, names.iter().map(String::as_str)) {
            Some(near) => {
                errors.at(
                    name,
                    format!("`{function}` has no argument `{name}`, did you mean `{near}`?"),
                );
                self.excused.extend(params.into_iter().find(|param| *param == near).cloned());
            }
            None => {
                errors.at(name, format!("`{function}` has no argument `{name}` to be written to"))
            }
        }
    }

    /// A buffer, or a part of the cotangent or tangent.
    pub(super) fn is_special(&self, param: &Ident) -> bool {
        self.buffers.iter().any(|buffer| matches_name(param, &buffer.name))
            || self.product.iter().any(|local| matches_name(param, &local.name))
    }

    /// The variable that goes by a parameter's name.
    pub(super) fn lookup(&self, param: &Ident, gradient: bool) -> Option<(Ident, Source)> {
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

    /// Says that nothing gives a parameter its argument, in the gradient's call or the forward's.
    pub(super) fn unbound(&self, param: &Ident, gradient: bool, errors: &mut Errors) {
        let text = param.unraw().to_string();
        let unread = self.options.unread.as_ref().is_some_and(|args| mentions(args, &text));
        if unread || self.excused.contains(param) {
            return;
        }
        let function = &self.spec.function.signature.ident;
        let locals = self.lets.iter().chain(&self.product).map(|local| &local.name);
        let names: Vec<String> = self
            .draws
            .iter()
            .chain(&self.dims)
            .chain(locals)
            .filter(|name| *name != "__self")
            .filter(|name| !self.params.iter().any(|other| other.name.as_ref() == Some(*name)))
            .map(ToString::to_string)
            .collect();
        let what = match gradient {
            true => format!("nothing binds the argument `{param}` of `{function}`"),
            false => format!(
                "`forward` is called with the arguments of `{function}`, and nothing \
                     binds `{param}`"
            ),
        };
        let block =
            self.options.forward.as_ref().map(|forward| matches!(forward.value, Expr::Block(_)));
        let remedy = match (nearest(&text, names.iter().map(String::as_str)), gradient, block) {
            (Some(near), ..) => format!("is `{near}` meant?"),
            (None, false, _) => {
                format!(
                    "draw it, `{param} in STRATEGY`, or write the call out, `forward = loss(&x)`"
                )
            }
            (None, true, Some(true)) => format!(
                "draw it, `{param} in STRATEGY`, bind it by a `let` of `forward`, or say \
                     how the gradient is had by `gradient = ..`"
            ),
            (None, true, _) => format!(
                "draw it, `{param} in STRATEGY`, or say how the gradient is had by `gradient = ..`"
            ),
        };
        errors.at(param, format!("{what}: {remedy}"));
    }

    fn param(&self, name: &Ident) -> Option<&Param<'a>> {
        self.params
            .iter()
            .find(|param| param.name.as_ref().is_some_and(|param| matches_name(param, name)))
    }
}

/// Whether a parameter goes by a variable's name: a leading `_` of the parameter does not count.
pub(super) fn matches_name(param: &Ident, name: &Ident) -> bool {
    let (param, name) = (param.unraw().to_string(), name.unraw().to_string());
    param == name || param.trim_start_matches('_') == name
}
