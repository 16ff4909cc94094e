//! Token-level help: errors collected, names looked for, `self` replaced.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

/// Everything that is wrong, to be said at once.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Says `message` at the tokens that caused it.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}

/// The name of the drawn `self`. Its hygiene keeps it apart from anything a user can write.
pub(crate) fn drawn_self(span: Span) -> Ident {
    Ident::new("__self", Span::mixed_site().located_at(span))
}

/// `self` replaced by the drawn one, in groups and macro arguments too. Paths (`self::f`),
/// imports (`use a::{self, b}`) and functions inside (`fn f(self) {}`) keep theirs.
pub(crate) fn replace_self(tokens: TokenStream) -> TokenStream {
    let mut output = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut importing = false;
    let mut function = false;
    while let Some(token) = tokens.next() {
        // of a function inside: an outer `self` cannot be meant there
        if function {
            function = !is_group(&token, Delimiter::Brace)
                && !matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
            output.extend([token]);
            continue;
        }
        match &token {
            // not the `use<..>` of an opaque type
            TokenTree::Ident(ident) if ident == "use" => {
                importing =
                    !matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == '<');
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => importing = false,
            // not the `fn(..)` of a pointer's type
            TokenTree::Ident(ident) if ident == "fn" => {
                function = matches!(tokens.peek(), Some(TokenTree::Ident(_)));
            }
            TokenTree::Ident(ident) if ident == "self" && !importing => {
                let path = matches!(tokens.peek(), Some(TokenTree::Punct(p))
                    if p.as_char() == ':' && p.spacing() == proc_macro2::Spacing::Joint);
                if !path {
                    output.extend([TokenTree::Ident(drawn_self(ident.span()))]);
                    continue;
                }
            }
            TokenTree::Group(group) if !importing => {
                let mut replaced = Group::new(group.delimiter(), replace_self(group.stream()));
                replaced.set_span(group.span());
                output.extend([TokenTree::Group(replaced)]);
                continue;
            }
            _ => {}
        }
        output.extend([token]);
    }
    output
}

/// Whether `name` occurs among the tokens, in groups too; a string literal counts when it
/// holds the name in braces, as `format!` reads it.
pub(crate) fn mentions(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident.unraw() == name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            text.match_indices('{').any(|(at, _)| {
                text[at + 1..].strip_prefix(name).is_some_and(|rest| rest.starts_with(['}', ':']))
            })
        }
        TokenTree::Punct(_) => false,
    })
}

/// The first identifier `name` among the tokens, in groups too.
pub(crate) fn find(tokens: &TokenStream, name: &str) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == name => Some(ident),
        TokenTree::Group(group) => find(&group.stream(), name),
        _ => None,
    })
}

/// The tokens as one would write them: `self.layers[0].w`, `(x, y)`.
pub(crate) fn written(tokens: impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = String::with_capacity(spaced.len());
    for word in spaced.split_whitespace() {
        if text.ends_with(',') || (ends_word(&text) && starts_word(word)) {
            text.push(' ');
        }
        text.push_str(word.strip_prefix("r#").unwrap_or(word));
    }
    if text.ends_with(",)") && text.matches(',').count() > 1 {
        text.truncate(text.len() - 2);
        text.push(')');
    }
    text
}

fn ends_word(text: &str) -> bool {
    text.ends_with(|c: char| c == '_' || c.is_alphanumeric())
}

fn starts_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
}

/// The candidate that a misspelt `word` most likely means.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            let short = word.len() >= 3 && candidate.starts_with(word);
            (if short { 1 } else { distance(word, candidate) }, candidate)
        })
        .filter(|&(distance, candidate)| distance <= 1 + candidate.len().min(word.len()) / 4)
        .filter(|&(distance, _)| distance < word.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// `Dense` as `dense`, `LSTMCell` as `lstm_cell`.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let after_lower = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
        let before_lower = i > 0
            && chars[i - 1].is_uppercase()
            && chars.get(i + 1).is_some_and(|c| c.is_lowercase());
        if c.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// Whatever the tokens are, as the inside of an identifier: `Vec<f32>` as `vec_f32`.
pub(crate) fn sanitised(tokens: impl ToTokens) -> String {
    let mut words = Vec::new();
    collect_words(tokens.to_token_stream(), &mut words);
    let name: String = words.join("_");
    let name: String =
        name.chars().map(|c| if c == '_' || c.is_alphanumeric() { c } else { '_' }).collect();
    if name.chars().all(|c| c == '_') {
        // `()`
        return "other".to_owned();
    }
    // a number, or a keyword such as `true`
    if syn::parse_str::<Ident>(&name).is_err() { format!("_{name}") } else { name }
}

fn collect_words(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => words.push(snake_case(&ident.unraw().to_string())),
            TokenTree::Literal(literal) => words.push(literal.to_string()),
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) => {}
        }
    }
}

/// The tokens, shown at another place.
pub(crate) fn located(tokens: TokenStream, span: Span) -> TokenStream {
    let shown = |mut token: TokenTree| {
        let place = token.span().located_at(span);
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), located(group.stream(), span)).into();
        }
        token.set_span(place);
        token
    };
    tokens.into_iter().map(shown).collect()
}

/// Splits off the attributes that an item, or the inside of an impl block, begins with, each as
/// its own tokens.
pub(crate) fn leading_attributes(tokens: TokenStream) -> (Vec<TokenStream>, TokenStream) {
    let mut attributes = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(hash) = tokens.next_if(|next| is_punct(next, '#')) {
        let mut attribute = TokenStream::from(hash);
        attribute.extend(tokens.next_if(|next| is_punct(next, '!')));
        let Some(group) = tokens.next_if(|next| is_group(next, Delimiter::Bracket)) else {
            // not an attribute after all
            attribute.extend(tokens);
            return (attributes, attribute);
        };
        attribute.extend([group]);
        attributes.push(attribute);
    }
    (attributes, tokens.collect())
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(other) if other.as_char() == punct)
}

pub(crate) fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}
