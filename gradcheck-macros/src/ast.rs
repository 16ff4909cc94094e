//! The item that an attribute stands on, and each function to be checked with its options.
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Generics, ItemImpl, Meta, Path, Signature, Token, Type, Visibility};

use crate::attr::Options;
use crate::tokens::{Errors, is_group, leading_attributes, replace_self};

/// One function to be checked: an attribute and what it stands on.
pub(crate) struct Spec {
    pub(crate) options: Options,
    pub(crate) function: Function,
    pub(crate) owner: Option<Owner>,
}

pub(crate) struct Function {
    pub(crate) signature: Signature,
    /// `#[cfg(..)]` of the function and its impl block, for all that is generated.
    pub(crate) cfgs: Vec<TokenStream>,
    /// `#[ignore]` and `#[should_panic]` that stood on the function, for its tests.
    pub(crate) marks: Vec<TokenStream>,
    /// Ends in `;`, as a trait's declaration does.
    pub(crate) declared: bool,
}

/// The impl block of a method.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) generics: Generics,
    pub(crate) implemented: Option<Path>,
    pub(crate) self_ty: Type,
}

/// What the attribute stands on.
pub(crate) enum Item {
    Function { args: TokenStream, function: Box<Function> },
    Impl { args: TokenStream, owner: Box<Owner>, methods: Methods },
    Unusable(syn::Error),
}

impl Item {
    /// Reads the options of each function.
    pub(crate) fn specs(self, errors: &mut Errors) -> Vec<Spec> {
        match self {
            Item::Function { args, function } => {
                let options = Options::read(args, errors);
                vec![Spec { options, function: *function, owner: None }]
            }
            Item::Impl { args, owner, methods: Methods { found, wrong } } => {
                let none = found.is_empty() && wrong.is_empty();
                wrong.into_iter().for_each(|error| errors.add(error));
                if !args.is_empty() {
                    errors.at(
                        args,
                        "options stand on the methods: the attribute of an impl block has none, \
                         `#[gradcheck] impl ..`",
                    );
                } else if none {
                    errors.at(
                        &owner.self_ty,
                        "no method of this impl block has an attribute of its own: \
                         `#[gradcheck(self in .., ..)] fn ..`",
                    );
                }
                let spec = |(args, function)| {
                    let options = Options::read(args, errors);
                    Spec { options, function, owner: Some((*owner).clone()) }
                };
                found.into_iter().map(spec).collect()
            }
            Item::Unusable(error) => {
                errors.add(error);
                Vec::new()
            }
        }
    }
}

/// The tokens to hand on, and what they were read as. The tokens are those that came, without
/// `#[ignore]` and `#[should_panic]` on a function, and without `#[gradcheck(..)]` on methods.
pub(crate) fn read(args: TokenStream, item: TokenStream) -> (TokenStream, Item) {
    let (attributes, rest) = leading_attributes(item.clone());
    let unusable = |message: String| {
        let at = rest.clone().into_iter().next().map_or_else(TokenStream::new, Into::into);
        Item::Unusable(syn::Error::new_spanned(at, message))
    };
    match keyword(&rest).as_deref() {
        Some("fn") => match function(&attributes, rest.clone()) {
            Ok((kept, function)) => (kept, Item::Function { args, function: Box::new(function) }),
            Err(error) => (item, Item::Unusable(error)),
        },
        Some("impl") => match impl_block(&args, &attributes, rest.clone()) {
            Ok((kept, item)) => (kept, item),
            Err(error) => (item, Item::Unusable(error)),
        },
        Some("trait") => (
            item,
            unusable(
                "a trait declaration has nothing to run: put `#[gradcheck]` on an impl \
                 block of the trait, `#[gradcheck] impl Trait for Type`"
                    .into(),
            ),
        ),
        Some(keyword) => (
            item,
            unusable(format!(
                "`#[gradcheck]` stands on a function or an impl block, not on a \
                 `{keyword}`"
            )),
        ),
        None => (item, unusable("`#[gradcheck]` stands on a function or an impl block".into())),
    }
}

/// The word that says what kind of item follows.
fn keyword(item: &TokenStream) -> Option<String> {
    const ITEMS: [&str; 12] = [
        "fn",
        "impl",
        "trait",
        "struct",
        "enum",
        "union",
        "mod",
        "type",
        "use",
        "static",
        "macro_rules",
        "macro",
    ];
    let mut qualifier = None;
    for token in item.clone() {
        match token {
            TokenTree::Ident(ident) => {
                let word = ident.to_string();
                match word.as_str() {
                    word if ITEMS.contains(&word) => return Some(word.to_owned()),
                    "const" | "extern" => qualifier = Some(word),
                    "pub" | "async" | "unsafe" | "default" | "safe" => {}
                    _ => return qualifier,
                }
            }
            // of `pub(crate)`, and the name of an ABI
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {}
            TokenTree::Literal(_) => {}
            _ => return qualifier,
        }
    }
    qualifier
}

/// A function up to its body, which is of no interest.
struct Head {
    signature: Signature,
    declared: bool,
}

impl Parse for Head {
    fn parse(input: ParseStream<'_>) -> syn::Result<Head> {
        input.parse::<Visibility>()?;
        if input.peek(syn::Ident) && input.fork().call(Ident::parse_any)? == "default" {
            input.call(Ident::parse_any)?;
        }
        let signature = input.parse()?;
        let declared = input.parse::<Option<Token![;]>>()?.is_some();
        if !declared && !input.peek(syn::token::Brace) {
            return Err(input.error("expected the function's body"));
        }
        input.parse::<TokenStream>()?;
        Ok(Head { signature, declared })
    }
}

fn function(attributes: &[TokenStream], rest: TokenStream) -> syn::Result<(TokenStream, Function)> {
    let head: Head = syn::parse2(rest.clone())?;
    let (marks, others): (Vec<_>, Vec<_>) = attributes.iter().cloned().partition(is_mark);
    let cfgs = others.iter().filter(|attribute| is_cfg(attribute)).cloned().collect();
    let kept = others.into_iter().chain([rest]).collect();
    Ok((kept, Function { signature: head.signature, cfgs, marks, declared: head.declared }))
}

fn impl_block(
    args: &TokenStream,
    attributes: &[TokenStream],
    rest: TokenStream,
) -> syn::Result<(TokenStream, Item)> {
    let mut head: Vec<TokenTree> = rest.into_iter().collect();
    let Some(body) = head.iter().rposition(|token| is_group(token, Delimiter::Brace)) else {
        return Err(syn::Error::new_spanned(&head[0], "expected the impl block's body"));
    };
    let after: TokenStream = head.drain(body + 1..).collect();
    let Some(TokenTree::Group(body)) = head.pop() else { unreachable!("a brace group") };
    let head: TokenStream = head.into_iter().collect();
    let block: ItemImpl = syn::parse2(quote!(#head {}))?;
    let owner = Owner {
        generics: block.generics,
        implemented: block.trait_.map(|(path, _)| path),
        self_ty: *block.self_ty,
    };
    let cfgs: Vec<TokenStream> =
        attributes.iter().filter(|attribute| is_cfg(attribute)).cloned().collect();
    let (stream, methods) = methods(body.stream(), &cfgs);
    let mut kept_body = Group::new(Delimiter::Brace, stream);
    kept_body.set_span(body.span());
    let mut kept: TokenStream = attributes.iter().cloned().collect();
    kept.extend(head);
    kept.extend([TokenTree::Group(kept_body)]);
    kept.extend(after);
    Ok((kept, Item::Impl { args: args.clone(), owner: Box::new(owner), methods }))
}

/// The functions of an impl block that have attributes for us, with their arguments.
#[derive(Default)]
pub(crate) struct Methods {
    found: Vec<(TokenStream, Function)>,
    wrong: Vec<syn::Error>,
}

/// The block's items without the attributes that are for us, and the functions that had them.
fn methods(mut rest: TokenStream, cfgs: &[TokenStream]) -> (TokenStream, Methods) {
    let mut kept = TokenStream::new();
    let mut methods = Methods::default();
    while !rest.is_empty() {
        let (attributes, tail) = leading_attributes(rest);
        let mut tail = tail.into_iter();
        let mut item = TokenStream::new();
        // Braces between `<` and `>` are an argument, not the item's body.
        let (mut depth, mut before) = (0_usize, ' ');
        for token in tail.by_ref() {
            let end = match &token {
                TokenTree::Group(_) => depth == 0 && is_group(&token, Delimiter::Brace),
                TokenTree::Punct(punct) => punct.as_char() == ';',
                _ => false,
            };
            let sign = if let TokenTree::Punct(punct) = &token { punct.as_char() } else { ' ' };
            match sign {
                '<' => depth += 1,
                '>' if !['-', '='].contains(&before) => depth = depth.saturating_sub(1),
                _ => {}
            }
            before = sign;
            item.extend([token]);
            if end {
                break;
            }
        }
        rest = tail.collect();
        let mut ours = Vec::new();
        let mut others = Vec::new();
        for attribute in attributes {
            match split(&attribute) {
                Some((checks, other)) => {
                    ours.extend(checks);
                    others.extend(other);
                }
                None => others.push(attribute),
            }
        }
        let mut tokens = others.iter().cloned().chain([item.clone()]).collect();
        if keyword(&item).as_deref() == Some("fn") {
            for (condition, args) in ours {
                match function(&others, item.clone()) {
                    Ok((without_marks, mut method)) => {
                        method.cfgs.splice(0..0, cfgs.iter().cloned().chain(condition));
                        methods.found.push((args, method));
                        tokens = without_marks;
                    }
                    Err(error) => methods.wrong.push(error),
                }
            }
        } else if !ours.is_empty() {
            let message = "`#[gradcheck(..)]` stands on a method here";
            methods.wrong.push(syn::Error::new_spanned(item, message));
        }
        kept.extend(tokens);
    }
    (kept, methods)
}

/// One `gradcheck(..)` found in an attribute: the `#[cfg(..)]` that it is under, its arguments.
type Found = (Option<TokenStream>, TokenStream);

/// The `gradcheck(..)` of an attribute, if there are any, and what is left of the attribute:
/// `#[gradcheck(..)]` or `#[cfg_attr(test, gradcheck_runtime::gradcheck(..), other)]`.
fn split(attribute: &TokenStream) -> Option<(Vec<Found>, Option<TokenStream>)> {
    let meta = meta(attribute)?;
    if is_ours(meta.path()) {
        return Some((vec![(None, arguments(&meta))], None));
    }
    let (predicate, metas) = conditional(&meta)?;
    let (ours, others): (Vec<Meta>, Vec<Meta>) =
        metas.into_iter().partition(|meta| is_ours(meta.path()));
    if ours.is_empty() {
        return None;
    }
    let condition = (!predicate.path().is_ident("test")).then(|| quote!(#[cfg(#predicate)]));
    let found = ours.iter().map(|meta| (condition.clone(), arguments(meta))).collect();
    let left = (!others.is_empty()).then(|| quote!(#[cfg_attr(#predicate, #(#others),*)]));
    Some((found, left))
}

fn meta(attribute: &TokenStream) -> Option<Meta> {
    let attributes = Attribute::parse_outer.parse2(attribute.clone()).ok()?;
    attributes.into_iter().next().map(|attribute| attribute.meta)
}

/// The predicate and the attributes of `cfg_attr(PREDICATE, ATTRIBUTE, ..)`.
fn conditional(meta: &Meta) -> Option<(Meta, Vec<Meta>)> {
    let Meta::List(list) = meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()).ok()?;
    let mut metas = metas.into_iter();
    Some((metas.next()?, metas.collect()))
}

fn is_ours(path: &Path) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == "gradcheck")
        && path.segments.len() <= 2
}

fn arguments(meta: &Meta) -> TokenStream {
    match meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
}

fn is_cfg(attribute: &TokenStream) -> bool {
    meta(attribute).is_some_and(|meta| meta.path().is_ident("cfg"))
}

fn is_mark(attribute: &TokenStream) -> bool {
    let marks =
        |meta: &Meta| meta.path().is_ident("ignore") || meta.path().is_ident("should_panic");
    meta(attribute).is_some_and(|meta| {
        marks(&meta)
            || conditional(&meta)
                .is_some_and(|(_, metas)| !metas.is_empty() && metas.iter().all(marks))
    })
}

impl Owner {
    /// `Dense` of `impl Dense<f32>`; what else the type is made of, otherwise.
    pub(crate) fn type_name(&self) -> String {
        match crate::types::last_segment(&self.self_ty) {
            Some(segment) => segment.ident.unraw().to_string(),
            None => crate::tokens::written(&self.self_ty),
        }
    }
}

/// User's tokens as they stand in the driver, where `self` is a drawn variable.
pub(crate) fn own(tokens: impl ToTokens) -> TokenStream {
    replace_self(tokens.to_token_stream())
}
