//! Options that do not go together, that are missing, or that nothing uses.
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, ReturnType, Type};

use super::Checker;
use super::names::matches_name;
use crate::ast::own;
use crate::attr::Drawn;
use crate::tokens::{Errors, mentions};
use crate::types;

/// Update rules are called with at most this many places.
const MOST_TRAINED: usize = 8;

/// The `unwrap` of each `F::from(..).unwrap()` among the tokens, in groups too.
fn unwrapped_from(tokens: TokenStream, scalar: &str) -> Vec<Ident> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.to_string() == text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            found.extend(unwrapped_from(group.stream(), scalar));
        }
        let path = is(at, scalar) && is(at + 1, ":") && is(at + 2, ":") && is(at + 3, "from");
        if path
            && is(at + 5, ".")
            && let Some(TokenTree::Ident(method)) = tokens.get(at + 6)
            && ["unwrap", "expect"].iter().any(|name| method == name)
        {
            found.push(method.clone());
        }
    }
    found
}

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
        if let Some(exact) = &options.exact {
            self.unwrapped(&exact.value, errors);
        }
        self.missing_gradient(errors);
        self.missing_places(errors);
    }

    /// `F::from(0.1).unwrap()` is of `num_traits` in a generic function; in the attribute `F` is a
    /// type of its own, and `from` that of the standard library.
    fn unwrapped(&self, scalar: &Ident, errors: &mut Errors) {
        let strategies = self.options.draws.iter().map(|draw| &draw.strategy);
        let forward = self.options.forward.iter().map(|forward| &forward.value);
        for expr in strategies.chain(forward) {
            for unwrap in unwrapped_from(own(expr), &scalar.to_string()) {
                errors.at(
                    unwrap,
                    format!(
                        "`{scalar}` is a scalar of its own in the attribute, and `{scalar}::from` \
                         of an `f64` gives one, no `Option`: leave `.unwrap()` out (`usize as f64` \
                         for a size)"
                    ),
                );
            }
        }
    }

    /// Several gradients, and one place: that of the first draw, which is an array or a number.
    fn missing_places(&self, errors: &mut Errors) {
        let options = self.options;
        let other = options.wrt.is_some() || options.out.is_some() || options.gradient.is_some();
        let signature = &self.spec.function.signature;
        let ReturnType::Type(_, output) = &signature.output else { return };
        let (Type::Tuple(output), [place]) = (&**output, &self.places[..]) else { return };
        let param = self
            .params
            .iter()
            .find(|param| param.name.as_ref().is_some_and(|name| matches_name(name, &place.root)));
        let is_one = param.is_some_and(|param| types::is_array(param.ty));
        let has_value = output.elems.first().is_some_and(types::is_primitive)
            && !param.is_some_and(|param| types::is_primitive(param.ty));
        let count = output.elems.len();
        let draws: Vec<String> =
            self.draws.iter().take(count).map(|name| name.unraw().to_string()).collect();
        if other
            || options.forward.is_none()
            || options.tangent.is_some()
            || !is_one
            || has_value
            || count < 2
            || draws.len() < count
        {
            return;
        }
        errors.at(
            output,
            format!(
                "`{}` returns {count} values, and the gradient is taken with respect to the first \
                 draw, `{}`: name the places that they belong to in their order, such as \
                 `wrt = ({})`",
                signature.ident,
                place.text,
                draws.join(", ")
            ),
        );
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
