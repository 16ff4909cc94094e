//! Options that do not go together, that are missing, or that nothing uses.
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, ReturnType};

use super::Checker;
use super::names::matches_name;
use crate::ast::own;
use crate::attr::Drawn;
use crate::tokens::{Errors, mentions};
use crate::types;

/// Update rules are called with at most this many places.
const MOST_TRAINED: usize = 8;

impl Checker<'_> {
    /// Options that do not go together.
    pub(super) fn combinations(&self, errors: &mut Errors) {
        let options = self.options;
        if let (Some(_), Some(tangent)) = (&options.cotangent, &options.tangent) {
            errors.at(
                &tangent.key,
                "`cotangent` and `tangent` exclude each other: use one attribute for each",
            );
        }
        if let Some(exact) = &options.exact {
            let parameter = &exact.value;
            let types = options.types.iter().flat_map(|types| &types.value);
            for types in types.filter(|types| types.parameter == *parameter) {
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
            if let (Some(_), Some(rate)) = (&train.value.update, &train.value.learning_rate) {
                errors.at(
                    &rate.key,
                    "`learning_rate` belongs to plain descent: leave it out beside `update`",
                );
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
    }

    /// Options that others need.
    pub(super) fn missing(&self, errors: &mut Errors) {
        let options = self.options;
        let function = &self.spec.function.signature.ident;
        if options.draws.is_empty() {
            let message = format!(
                "nothing is drawn: add what `{function}` is checked on, `NAME in STRATEGY`"
            );
            match &options.dims {
                Some(dims) => errors.at(&dims.key, message),
                None => errors.at(function, message),
            }
        }
        if options.forward.is_none() {
            for product in options.cotangent.iter().chain(&options.tangent) {
                let key = &product.key;
                errors.at(
                    key,
                    format!("`{key}` needs `forward`, the function that is differentiated"),
                );
            }
            if let Some(exact) = &options.exact {
                errors.at(
                    &exact.key,
                    "`exact` needs `forward`, a function that is generic over the scalar",
                );
            }
        }
        if let Some(exact) = &options.exact
            && !self.draws_name(&exact.value)
            && !options.draws.is_empty()
        {
            let parameter = &exact.value;
            errors.at(
                parameter,
                format!(
                    "no draw names `{parameter}`: write `normal::<{parameter}, _>(3)`, so \
                 that it is drawn for the exact method too"
                ),
            );
        }
        self.missing_gradient(errors);
    }

    /// A gradient that the function's return type has no place for.
    fn missing_gradient(&self, errors: &mut Errors) {
        let options = self.options;
        let product = options.cotangent.is_some() || options.tangent.is_some();
        if options.out.is_some() || options.gradient.is_some() {
            return;
        }
        let signature = &self.spec.function.signature;
        let function = &signature.ident;
        let number = match &signature.output {
            ReturnType::Default => false,
            ReturnType::Type(_, ty) if types::is_primitive(ty) => true,
            ReturnType::Type(..) => return,
        };
        if options.forward.is_none() && !product {
            errors.at(
                function,
                format!(
                    "`{function}` does not return `(value, gradient)`: name its value by \
                 `forward = ..`, or the arguments that the gradient is written to by \
                 `out(BUFFER = x)`"
                ),
            );
        } else if !number {
            errors.at(
                function,
                format!(
                    "`{function}` returns nothing: name the arguments that the gradient is \
                 written to by `out(BUFFER = x)`, or say how it is had by `gradient = ..`"
                ),
            );
        }
    }

    /// Whether a draw is made with a type.
    pub(super) fn draws_name(&self, ty: &Ident) -> bool {
        let name = ty.to_string();
        self.options.draws.iter().any(|draw| {
            mentions(&draw.strategy.to_token_stream(), &name)
                || mentions(&draw.ty.to_token_stream(), &name)
        })
    }

    /// Dims and draws that nothing uses.
    pub(super) fn unused(&self, errors: &mut Errors) {
        let options = self.options;
        // each with the names that it binds, which do not count
        let mut uses: Vec<(Vec<Ident>, TokenStream)> = Vec::new();
        for dim in options.dims.iter().flat_map(|dims| &dims.value) {
            uses.push((vec![dim.name.clone()], own(&dim.range)));
        }
        for draw in &options.draws {
            let names = match &draw.pattern {
                Drawn::Self_(_) => Vec::new(),
                Drawn::Pattern(pat) => types::bound(pat),
            };
            uses.push((names, own(&draw.strategy)));
        }
        for option in [&options.forward, &options.gradient].into_iter().flatten() {
            uses.push((Vec::new(), own(&option.value)));
        }
        let places = options.wrt.iter().flat_map(|wrt| &wrt.value);
        let targets = options.out.iter().flat_map(|out| &out.value).map(|out| &out.place);
        uses.extend(places.chain(targets).map(|place| (Vec::new(), own(place))));
        let by_name = options.gradient.is_none()
            || matches!(
                options.forward.as_ref().map(|forward| &forward.value),
                Some(Expr::Path(_) | Expr::Closure(_))
            );
        for name in self.dims.iter().chain(&self.draws) {
            let is_self = name == "__self";
            let text = name.unraw().to_string();
            let passed = by_name
                && (is_self
                    || self.params.iter().any(|param| {
                        param.name.as_ref().is_some_and(|param| matches_name(param, name))
                    }));
            let named =
                uses.iter().any(|(by, tokens)| !by.contains(name) && mentions(tokens, &text));
            if passed || named || (!is_self && text.starts_with('_')) {
                continue;
            }
            match is_self {
                true => errors.at(name, "nothing uses `self`: take it out"),
                false => errors
                    .at(name, format!("nothing uses `{text}`: take it out, or write it `_{text}`")),
            }
        }
    }
}
