//! `#[derive(Flatten)]`.
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, Path, Type};

use crate::tokens::{Errors, located, mentions, nearest};

/// The builds that get the impls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Testing,
    Always,
}

/// A field that is shown, by its name.
struct Field {
    member: syn::Member,
    name: String,
    ty: Type,
}

/// `Flatten` and `FlattenMut` for a struct, one step for each field.
pub(crate) fn derive(item: TokenStream, when: When) -> TokenStream {
    let mut errors = Errors::default();
    let impls = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => impls(&input, when, &mut errors),
        Err(error) => {
            errors.add(error);
            TokenStream::new()
        }
    };
    match errors.count() {
        0 => impls,
        _ => errors.into_compile_errors(),
    }
}

fn impls(input: &DeriveInput, when: When, errors: &mut Errors) -> TokenStream {
    let runtime = runtime(&input.attrs, errors);
    let fields = match &input.data {
        Data::Struct(data) => fields(&data.fields, errors),
        Data::Enum(data) => {
            errors.at(
                data.enum_token,
                "`Flatten` names the fields of structs: which scalars an enum has changes \
                 with its variant; put the parameters into a struct",
            );
            Vec::new()
        }
        Data::Union(data) => {
            errors.at(
                data.union_token,
                "`Flatten` names the fields of structs: the fields of a union overlap",
            );
            Vec::new()
        }
    };
    let cfg = (when == When::Testing).then(|| quote!(#[cfg(test)]));
    let read = one_impl(input, &fields, &runtime, false);
    let write = one_impl(input, &fields, &runtime, true);
    quote!(#cfg #read #cfg #write)
}

fn one_impl(
    input: &DeriveInput,
    fields: &[Field],
    runtime: &TokenStream,
    mutable: bool,
) -> TokenStream {
    let name = &input.ident;
    let flatten = quote!(#runtime::flatten);
    let (bound, method, visitor, borrow) = match mutable {
        false => (quote!(Flatten), quote!(flatten), quote!(Visitor), quote!(&)),
        true => (quote!(FlattenMut), quote!(flatten_mut), quote!(VisitorMut), quote!(&mut)),
    };
    let steps = fields.iter().map(|field| {
        let Field { member, name, ty } = field;
        // an unsuitable type is the compiler's error at the type
        let shown =
            located(quote!(#flatten::#bound::#method(#borrow self.#member, __visitor)), ty.span());
        quote! {
            __visitor.enter(#flatten::Step::Field(#name));
            #shown;
            __visitor.leave();
        }
    });
    let mut generics = input.generics.clone();
    for predicate in predicates(input, fields, &quote!(#flatten::#bound), mutable) {
        generics.make_where_clause().predicates.push(predicate);
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(private_bounds, unused_variables)]
        impl #impl_generics #flatten::#bound for #name #type_generics #where_clause {
            fn #method(#borrow self, __visitor: &mut dyn #flatten::#visitor) { #(#steps)* }
        }
    }
}

/// `FIELD TYPE: Flatten` for each field with a type parameter in its type; for a field whose
/// type holds the struct itself, which would go round in circles, `PARAMETER: Flatten`.
///
/// What is borrowed may be read but not perturbed: as a bound, `&'a [f64]: FlattenMut` leaves
/// such a struct without `FlattenMut`, where the derive would fail else.
fn predicates(
    input: &DeriveInput,
    fields: &[Field],
    bound: &TokenStream,
    mutable: bool,
) -> Vec<syn::WherePredicate> {
    let mut seen = Vec::new();
    let mut predicates = Vec::new();
    let mut require = |ty: TokenStream| {
        if !seen.contains(&ty.to_string()) {
            seen.push(ty.to_string());
            predicates.push(syn::parse_quote!(#ty: #bound));
        }
    };
    for field in fields {
        let ty = field.ty.to_token_stream();
        let named = |name: &syn::Ident| mentions(&ty, &name.unraw().to_string());
        let parameters = input.generics.type_params().map(|parameter| &parameter.ident);
        let parameters: Vec<_> = parameters.filter(|parameter| named(parameter)).collect();
        let mut lifetimes = input.generics.lifetimes();
        let borrowed = mutable && lifetimes.any(|lifetime| named(&lifetime.lifetime.ident));
        if named(&input.ident) {
            parameters.iter().for_each(|parameter| require(parameter.to_token_stream()));
        } else if borrowed || !parameters.is_empty() {
            require(ty.clone());
        }
    }
    predicates
}

fn fields(fields: &Fields, errors: &mut Errors) -> Vec<Field> {
    let mut shown: Vec<Field> = Vec::new();
    for (member, field) in fields.members().zip(fields) {
        let own_name = match &member {
            syn::Member::Named(name) => name.unraw().to_string(),
            syn::Member::Unnamed(index) => index.index.to_string(),
        };
        let options = FieldOptions::read(&field.attrs, errors);
        if options.skip {
            continue;
        }
        if own_name == "_" {
            errors.at(&member, "a field that is flattened needs a name; `_` is none");
            continue;
        }
        let name = options.rename.as_ref().map_or(own_name, LitStr::value);
        if let Some(rename) = &options.rename
            && shown.iter().any(|other| other.name == name)
        {
            errors.at(rename, format!("two fields are named `{name}`"));
        }
        shown.push(Field { member, name, ty: field.ty.clone() });
    }
    shown
}

#[derive(Default)]
struct FieldOptions {
    skip: bool,
    rename: Option<LitStr>,
}

impl FieldOptions {
    fn read(attributes: &[Attribute], errors: &mut Errors) -> FieldOptions {
        let mut options = FieldOptions::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("flatten"))
        {
            let read = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    options.skip = true;
                } else if meta.path.is_ident("rename") {
                    let name: LitStr = meta.value()?.parse()?;
                    if options.rename.replace(name).is_some() {
                        return Err(meta.error("`rename` is given twice"));
                    }
                } else if meta.path.is_ident("crate") {
                    return Err(meta.error(
                        "`crate` stands on the struct: `#[flatten(crate = path)] struct ..`",
                    ));
                } else {
                    return Err(unknown(&meta, &["skip", "rename"]));
                }
                Ok(())
            });
            match read {
                Err(error) => errors.add(error),
                Ok(()) if options.skip && options.rename.is_some() => {
                    errors.at(&attribute.meta, "a field that is left out has no name to change");
                }
                Ok(()) => {}
            }
        }
        options
    }
}

/// Where the runtime is found.
fn runtime(attributes: &[Attribute], errors: &mut Errors) -> TokenStream {
    let mut runtime = quote!(::gradcheck_runtime);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("flatten")) {
        let read = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                runtime = meta.value()?.parse::<Path>()?.into_token_stream();
                Ok(())
            } else if meta.path.is_ident("skip") || meta.path.is_ident("rename") {
                Err(meta.error(
                    "this stands on a field: `#[flatten(skip)]`, `#[flatten(rename = \"..\")]`",
                ))
            } else {
                Err(unknown(&meta, &["crate"]))
            }
        });
        if let Err(error) = read {
            errors.add(error);
        }
    }
    runtime
}

fn unknown(meta: &syn::meta::ParseNestedMeta<'_>, options: &[&str]) -> syn::Error {
    let word = crate::tokens::written(&meta.path);
    match nearest(&word, options.iter().copied()) {
        Some(near) => meta.error(format!("unknown option `{word}`, did you mean `{near}`?")),
        None => {
            meta.error(format!("unknown option `{word}`; there are `{}`", options.join("`, `")))
        }
    }
}
