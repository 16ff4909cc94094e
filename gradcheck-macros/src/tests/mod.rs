//! The macros as functions of tokens: what they expand to, what they say, and that nothing
//! makes them panic or lose the item.
mod errors;
mod expansions;
mod mutations;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Splits `#[gradcheck(..)] ITEM` into what the attribute macro gets.
fn attribute_and_item(source: &str) -> (TokenStream, TokenStream) {
    parts(source.parse().expect("tokens"))
}

/// The same with the tokens at hand.
fn parts(source: TokenStream) -> (TokenStream, TokenStream) {
    let (mut attributes, item) = crate::tokens::leading_attributes(source);
    let ours = attributes
        .iter()
        .position(|attribute| attribute.to_string().contains("gradcheck"))
        .expect("an attribute to expand");
    let attribute = attributes.remove(ours);
    let meta = syn::parse::Parser::parse2(syn::Attribute::parse_outer, attribute)
        .expect("an attribute")
        .remove(0)
        .meta;
    let args = match meta {
        syn::Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    (args, attributes.into_iter().chain([item]).collect())
}

/// What `#[gradcheck(..)] ITEM` becomes.
fn expanded(source: &str) -> TokenStream {
    let (args, item) = attribute_and_item(source);
    crate::attribute(args, item)
}

/// The messages of the compile errors among the tokens, in order.
fn messages(tokens: &TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(tokens.clone()).expect("items");
    let macros = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => {
            syn::parse2::<syn::LitStr>(item.mac.tokens.clone()).ok()
        }
        _ => None,
    });
    macros.map(|message| message.value()).collect()
}

/// Pretty-printed, as rustfmt nearly has it.
fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("items"))
}

/// The same tokens, whatever their spacing.
fn same(left: &TokenStream, right: &TokenStream) -> bool {
    left.to_token_stream().to_string() == right.to_token_stream().to_string()
}
