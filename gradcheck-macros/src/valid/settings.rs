//! Types, names and numbers that the macro itself has to understand.
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Expr, GenericParam, Lit, Type};

use super::{Checker, Instance, SelfType};
use crate::tokens::{Errors, mentions, sanitised, snake_case, written};
use crate::types;

/// Tests of this many shards would be a slip of the finger.
const MOST_SHARDS: u32 = 1000;

impl Checker<'_> {
    /// Type parameters that no argument can fix.
    pub(super) fn generics(&self, errors: &mut Errors) {
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
                errors.at(
                    &param.ident,
                    format!(
                        "no argument of `{}` says what `{name}` is: add `types({name} = [f32, \
                     f64])`",
                        signature.ident
                    ),
                );
            }
        }
    }

    pub(super) fn module(&self, errors: &mut Errors) -> String {
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
                    errors.at(
                        &name.value,
                        "expected a name for the tests' module: `name = \"other\"` makes \
                         `gradcheck_other`",
                    );
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

    pub(super) fn self_type(&self, errors: &mut Errors) -> Option<SelfType> {
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
                errors.at(
                    token,
                    format!(
                        "`Self` is generic over `{open}` here: name the type instead, or add \
                     `types({open} = [..])`"
                    ),
                );
                return None;
            }
        }
        let ty = owner.self_ty.clone();
        let inferred =
            self.scope.outside(&ty).map_or(ty.to_token_stream(), |ty| ty.to_token_stream());
        Some(SelfType { lifetimes: quote!(<#(#lifetimes),*>), ty, inferred })
    }

    /// Every combination of the choices of `types`.
    pub(super) fn instances(&self, errors: &mut Errors) -> Vec<Instance> {
        let mut instances = vec![Instance { name: None, aliases: TokenStream::new() }];
        for types in self.options.types.iter().flat_map(|types| &types.value) {
            let parameter = &types.parameter;
            let params = self.scope.generics.iter().flat_map(|generics| &generics.params);
            let value = params.into_iter().find_map(|param| match param {
                GenericParam::Const(param) if param.ident == *parameter => Some(&param.ty),
                _ => None,
            });
            // what stands on the right of `type T =` or `const N: usize =`
            for choice in &types.choices {
                let (fits, wanted) = match value {
                    Some(_) => (syn::parse2::<Expr>(choice.clone()).is_ok(), "value"),
                    None => (syn::parse2::<Type>(choice.clone()).is_ok(), "type"),
                };
                if !fits {
                    let choice_text = written(choice);
                    errors.at(choice, format!("`{choice_text}` is no {wanted} for `{parameter}`"));
                }
            }
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

    pub(super) fn shards(&self, errors: &mut Errors) -> Option<u32> {
        let shards = self.options.shards.as_ref()?;
        let number = match &shards.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=MOST_SHARDS).contains(number));
        if number.is_none() {
            errors.at(
                &shards.value,
                format!(
                    "expected a number from 1 to {MOST_SHARDS}, written out: each shard \
                 becomes a test"
                ),
            );
        }
        number
    }

    pub(super) fn allow_zero(&self) -> Vec<String> {
        let paths = self.options.allow_zero.iter().flat_map(|paths| &paths.value);
        paths
            .map(|path| match syn::parse2::<syn::LitStr>(path.clone()) {
                Ok(text) => text.value(),
                Err(_) => written(path),
            })
            .collect()
    }
}

fn declares(param: &GenericParam, name: &Ident) -> bool {
    match param {
        GenericParam::Type(param) => param.ident == *name,
        GenericParam::Const(param) => param.ident == *name,
        GenericParam::Lifetime(_) => false,
    }
}
