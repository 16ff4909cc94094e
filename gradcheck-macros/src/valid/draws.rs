//! What is drawn, and what is known of its type.
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Pat, ReturnType, Type};

use super::names::matches_name;
use super::{Checker, Draw, Pin, Source};
use crate::ast::own;
use crate::attr::Drawn;
use crate::tokens::{drawn_self, mentions, written};
use crate::types::{self, Pass};

impl Checker<'_> {
    pub(super) fn draws(&self) -> Vec<Draw> {
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
}

/// The pattern with its variables made `mut`, so that `&mut` of them can be lent.
fn mutable(pat: &Pat) -> TokenStream {
    struct Mutable;
    impl syn::visit_mut::VisitMut for Mutable {
        fn visit_pat_ident_mut(&mut self, pat: &mut syn::PatIdent) {
            if pat.by_ref.is_none() && types::is_variable(pat) {
                pat.mutability.get_or_insert_default();
            }
            syn::visit_mut::visit_pat_ident_mut(self, pat);
        }
    }
    let mut pat = pat.clone();
    syn::visit_mut::VisitMut::visit_pat_mut(&mut Mutable, &mut pat);
    own(pat)
}
