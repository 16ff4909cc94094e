//! The attribute's tokens as options, each with the token it came from.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Pat, Path, Result, Token, Type, token};

use crate::tokens::{Errors, find, nearest, written};

/// Every word that may stand before `=` or `(..)`, and how it is written.
const OPTIONS: [(&str, &str); 24] = [
    ("dims", "dims(n in 1..=5, ..)"),
    ("wrt", "wrt = (x, self.w)"),
    ("forward", "forward = loss"),
    ("gradient", "gradient = EXPRESSION"),
    ("cotangent", "cotangent = dout"),
    ("tangent", "tangent = dx"),
    ("out", "out(g = x, h += y)"),
    ("train", "train(steps = 1..=20, learning_rate = 0.1)"),
    ("exact", "exact = F"),
    ("types", "types(T = [f32, f64])"),
    ("allow_zero", "allow_zero(b, self.gamma)"),
    ("tolerance", "tolerance = 1e-6"),
    ("epsilon", "epsilon = 1e-7"),
    ("cases", "cases = 64"),
    ("seed", "seed = 1"),
    ("method", "method = Method::Exhaustive"),
    ("complex", "complex = Convention::Wirtinger"),
    ("timeout", "timeout = Duration::from_secs(60)"),
    ("shards", "shards = 8"),
    ("name", "name = \"other\""),
    ("crate", "crate = ::path::to::gradcheck_runtime"),
    ("ignore", "ignore = \"reason\""),
    ("should_panic", "should_panic(expected = \"..\")"),
    ("update", "train(steps = 1..=20, update = EXPRESSION)"),
];

/// Words of other trades for what is called something else here.
const SYNONYMS: [(&str, &str); 20] = [
    ("tol", "tolerance"),
    ("atol", "tolerance"),
    ("rtol", "tolerance"),
    ("eps", "epsilon"),
    ("step", "epsilon"),
    ("loss", "forward"),
    ("cost", "forward"),
    ("function", "forward"),
    ("primal", "forward"),
    ("backward", "gradient"),
    ("grad", "gradient"),
    ("vjp", "cotangent"),
    ("jvp", "tangent"),
    ("parameters", "wrt"),
    ("params", "wrt"),
    ("iterations", "cases"),
    ("samples", "cases"),
    ("training", "train"),
    ("limit", "timeout"),
    ("deadline", "timeout"),
];

/// An option with the word that names it.
pub(crate) struct Opt<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// `NAME in RANGE` inside `dims(..)`.
pub(crate) struct Dim {
    pub(crate) name: Ident,
    pub(crate) range: Expr,
}

/// `PATTERN in STRATEGY` or `NAME: TYPE in STRATEGY`.
pub(crate) struct Draw {
    pub(crate) pattern: Drawn,
    pub(crate) ty: Option<Type>,
    pub(crate) strategy: Expr,
}

/// What a draw binds.
#[allow(clippy::large_enum_variant, reason = "large with the spans that the tests ask for, alone")]
pub(crate) enum Drawn {
    Self_(Token![self]),
    Pattern(Pat),
}

/// `BUFFER = PLACE` or `BUFFER += PLACE` inside `out(..)`.
pub(crate) struct Out {
    pub(crate) buffer: Ident,
    pub(crate) added: bool,
    pub(crate) place: Expr,
}

#[derive(Default)]
pub(crate) struct Train {
    pub(crate) steps: Option<Opt<Expr>>,
    pub(crate) learning_rate: Option<Opt<Expr>>,
    pub(crate) update: Option<Opt<Expr>>,
}

/// `T = [f32, f64]` inside `types(..)`; for a const parameter, values.
pub(crate) struct Types {
    pub(crate) parameter: Ident,
    pub(crate) choices: Vec<TokenStream>,
}

/// A setting that goes to the runtime as it was written.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

/// What the attribute says, unchecked.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) dims: Option<Opt<Vec<Dim>>>,
    pub(crate) draws: Vec<Draw>,
    pub(crate) wrt: Option<Opt<Vec<Expr>>>,
    pub(crate) forward: Option<Opt<Expr>>,
    pub(crate) gradient: Option<Opt<Expr>>,
    pub(crate) cotangent: Option<Opt<Pat>>,
    pub(crate) tangent: Option<Opt<Pat>>,
    pub(crate) out: Option<Opt<Vec<Out>>>,
    pub(crate) train: Option<Opt<Train>>,
    pub(crate) exact: Option<Opt<Ident>>,
    pub(crate) types: Option<Opt<Vec<Types>>>,
    pub(crate) allow_zero: Option<Opt<Vec<TokenStream>>>,
    /// `tolerance`, `epsilon`, `cases`, `seed`, `method`, `complex` and `timeout`, in the order written.
    pub(crate) settings: Vec<Setting>,
    pub(crate) shards: Option<Opt<Expr>>,
    pub(crate) name: Option<Opt<Expr>>,
    pub(crate) runtime: Option<Opt<Path>>,
    /// `ignore`, `ignore = ".."` and `should_panic(..)`, for the tests.
    pub(crate) marks: Vec<Opt<TokenStream>>,
    /// The first `Self`, wherever it stands.
    pub(crate) self_type: Option<Ident>,
    /// All that was written, when some of it could not be read: what seems missing may stand
    /// there.
    pub(crate) unread: Option<TokenStream>,
    /// Nothing stood between the attribute's parentheses, or there were none.
    pub(crate) empty: bool,
}

impl Options {
    /// Reads the attribute's arguments; what cannot be read is skipped up to its comma.
    pub(crate) fn read(args: TokenStream, errors: &mut Errors) -> Options {
        let self_type = find(&args, "Self");
        let mut options = Options { self_type, empty: args.is_empty(), ..Options::default() };
        let before = errors.count();
        list(args.clone(), errors, |input, errors| options.argument(input, errors));
        options.unread = (errors.count() > before).then_some(args);
        options
    }

    fn argument(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> Result<()> {
        let word = input.peek(syn::Ident::peek_any) && !input.peek(Token![_]);
        let assigned =
            input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>]);
        let ahead = input.fork();
        ahead.parse::<TokenTree>()?;
        let alone = ahead.is_empty() || ahead.peek(Token![,]);
        if word && assigned {
            let key = input.call(Ident::parse_any)?;
            let equals = input.parse::<Token![=]>()?;
            self.assignment(key, equals, input, errors)
        } else if word && !input.peek(Token![self]) && self.is_list(input) {
            let key = input.call(Ident::parse_any)?;
            let content;
            syn::parenthesized!(content in input);
            self.list(key, content.parse()?, errors)
        } else if word && alone {
            let key = input.call(Ident::parse_any)?;
            self.word(key, errors)
        } else {
            self.draw(input)
        }
    }

    /// `KEY(..)`, unless a draw's `in` follows: `Point(x, y) in STRATEGY`.
    fn is_list(&self, input: ParseStream<'_>) -> bool {
        let ahead = input.fork();
        input.peek2(token::Paren)
            && ahead.call(Ident::parse_any).is_ok()
            && ahead.parse::<proc_macro2::Group>().is_ok()
            && !ahead.peek(Token![in])
    }

    fn assignment(
        &mut self,
        key: Ident,
        equals: Token![=],
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> Result<()> {
        let missing = |message: &str| {
            Err(syn::Error::new_spanned(equals, format!("`{key} =` needs {message}")))
        };
        if input.is_empty() || input.peek(Token![,]) {
            return missing("a value");
        }
        match key.to_string().as_str() {
            "wrt" => once(&mut self.wrt, key, places(input.parse()?), errors),
            "forward" => once(&mut self.forward, key, input.parse()?, errors),
            "gradient" => once(&mut self.gradient, key, input.parse()?, errors),
            "cotangent" => once(&mut self.cotangent, key, Pat::parse_single(input)?, errors),
            "tangent" => once(&mut self.tangent, key, Pat::parse_single(input)?, errors),
            "exact" => once(&mut self.exact, key, input.parse()?, errors),
            "shards" => once(&mut self.shards, key, input.parse()?, errors),
            "name" => once(&mut self.name, key, input.parse()?, errors),
            "crate" => {
                let path = input.call(Path::parse_mod_style).map_err(|error| {
                    syn::Error::new(error.span(), "write `crate = ::path::to::gradcheck_runtime`")
                })?;
                once(&mut self.runtime, key, path, errors);
            }
            "tolerance" | "epsilon" | "cases" | "seed" | "method" | "complex" | "timeout" => {
                let value = input.parse()?;
                match self.settings.iter().find(|setting| setting.key == key) {
                    Some(_) => twice(&key, errors),
                    None => self.settings.push(Setting { key, value }),
                }
            }
            "ignore" => {
                let reason: syn::LitStr = input.parse()?;
                self.mark(key, |key| quote::quote!(#[#key = #reason]), errors);
            }
            other => return Err(self.unknown(&key, other, true)),
        }
        Ok(())
    }

    fn list(&mut self, key: Ident, content: TokenStream, errors: &mut Errors) -> Result<()> {
        let word = key.to_string();
        let known = ["dims", "out", "train", "types", "allow_zero", "should_panic"];
        if content.is_empty() && known.contains(&word.as_str()) {
            let shape = shape(&word).unwrap_or_default();
            return Err(syn::Error::new_spanned(
                &key,
                format!("`{word}()` is empty: write `{shape}`"),
            ));
        }
        match word.as_str() {
            "dims" => {
                let dims = list(content, errors, |input, _| input.parse());
                once(&mut self.dims, key, dims, errors);
            }
            "out" => {
                let outs = list(content, errors, |input, _| input.parse());
                once(&mut self.out, key, outs, errors);
            }
            "train" => {
                let mut train = Train::default();
                list(content, errors, |input, errors| train.argument(input, errors));
                once(&mut self.train, key, train, errors);
            }
            "types" => {
                let types = list(content, errors, |input, _| input.parse());
                once(&mut self.types, key, types, errors);
            }
            "allow_zero" => {
                let path = |input: ParseStream<'_>| Ok(input.parse::<Expr>()?.into_token_stream());
                let paths = list(content, errors, |input, _| path(input));
                once(&mut self.allow_zero, key, paths, errors);
            }
            "should_panic" => {
                self.mark(key, |key| quote::quote!(#[#key(#content)]), errors);
            }
            other => return Err(self.unknown(&key, other, false)),
        }
        Ok(())
    }

    fn word(&mut self, key: Ident, errors: &mut Errors) -> Result<()> {
        match key.to_string().as_str() {
            "ignore" | "should_panic" => {
                self.mark(key, |key| quote::quote!(#[#key]), errors);
                Ok(())
            }
            word => match shape(word) {
                Some(shape) => Err(syn::Error::new_spanned(&key, format!("write `{shape}`"))),
                None => match nearest(word, OPTIONS.map(|(name, _)| name)) {
                    Some(_) => Err(self.unknown(&key, word, false)),
                    None => Err(syn::Error::new_spanned(
                        &key,
                        format!("`{word}` is drawn from what? write `{word} in STRATEGY`"),
                    )),
                },
            },
        }
    }

    fn draw(&mut self, input: ParseStream<'_>) -> Result<()> {
        let begun = input.fork().parse::<TokenTree>()?;
        let pattern = if input.peek(Token![self]) {
            Drawn::Self_(input.parse()?)
        } else {
            Drawn::Pattern(Pat::parse_single(input).map_err(|error| {
                syn::Error::new(error.span(), "expected an option or a draw, `NAME in STRATEGY`")
            })?)
        };
        let ty = match input.parse::<Option<Token![:]>>()? {
            None => None,
            Some(_) => Some(input.parse()?),
        };
        if !input.peek(Token![in]) {
            let word = begun.to_string();
            let hint = match (nearest(&word, OPTIONS.map(|(name, _)| name)).and_then(shape), &ty) {
                (Some(shape), _) => format!("expected `in`; or is `{shape}` meant?"),
                (None, Some(_)) => format!("a draw is written `{word}: TYPE in STRATEGY`"),
                (None, None) => format!("a draw is written `{word} in STRATEGY`"),
            };
            let at = if input.is_empty() { begun.span() } else { input.span() };
            return Err(syn::Error::new(at, hint));
        }
        let within = input.parse::<Token![in]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new_spanned(within, "`in` needs a strategy to draw from"));
        }
        self.draws.push(Draw { pattern, ty, strategy: input.parse()? });
        Ok(())
    }

    fn mark(&mut self, key: Ident, value: impl Fn(&Ident) -> TokenStream, errors: &mut Errors) {
        if self.marks.iter().any(|mark| mark.key == key) {
            return twice(&key, errors);
        }
        let value = value(&key);
        self.marks.push(Opt { key, value });
    }

    fn unknown(&self, key: &Ident, word: &str, assigned: bool) -> syn::Error {
        let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, name)| *name);
        let message = if word == "update" || word == "learning_rate" || word == "steps" {
            format!("`{word}` stands inside `train(..)`")
        } else if let Some(shape) = shape(word) {
            format!("`{word}` is written `{shape}`")
        } else if let Some(name) = nearest(word, OPTIONS.map(|(name, _)| name)).or(synonym) {
            format!("unknown option `{word}`, did you mean `{name}`?")
        } else if assigned {
            format!("unknown option `{word}`; a draw is written `{word} in STRATEGY`")
        } else {
            format!("unknown option `{word}`; there are {}", all_options())
        };
        syn::Error::new_spanned(key, message)
    }
}

fn all_options() -> String {
    let names: Vec<String> = OPTIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "update")
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}

fn shape(word: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(name, _)| *name == word).map(|(_, shape)| *shape)
}

impl Parse for Dim {
    fn parse(input: ParseStream<'_>) -> Result<Dim> {
        let name: Ident = input.parse()?;
        if !input.peek(Token![in]) {
            let message = format!("the range of `{name}` is missing: write `{name} in 1..=5`");
            return Err(syn::Error::new_spanned(&name, message));
        }
        let within = input.parse::<Token![in]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("the range of `{name}` is missing: write `{name} in 1..=5`");
            return Err(syn::Error::new_spanned(within, message));
        }
        Ok(Dim { name, range: input.parse()? })
    }
}

impl Parse for Out {
    fn parse(input: ParseStream<'_>) -> Result<Out> {
        let buffer = input.parse::<Ident>().map_err(|error| {
            syn::Error::new(
                error.span(),
                "expected `BUFFER = PLACE` or `BUFFER += PLACE`: the argument that is written to, \
                 and what the gradient in it is with respect to",
            )
        })?;
        let added = input.peek(Token![+=]);
        if added {
            input.parse::<Token![+=]>()?;
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
        } else {
            let message = format!(
                "`{buffer}` is written with what? `{buffer} = x` when it is overwritten \
                     with the gradient with respect to `x`, `{buffer} += x` when that is \
                     added"
            );
            return Err(syn::Error::new_spanned(&buffer, message));
        }
        Ok(Out { buffer, added, place: input.parse()? })
    }
}

impl Train {
    fn argument(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> Result<()> {
        let key = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            let message = "write `train(steps = 1..=20, learning_rate = 0.1)`";
            return Err(syn::Error::new_spanned(&key, message));
        }
        let equals = input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new_spanned(equals, format!("`{key} =` needs a value")));
        }
        let slot = match key.to_string().as_str() {
            "steps" => &mut self.steps,
            "learning_rate" => &mut self.learning_rate,
            "update" => &mut self.update,
            word => {
                let names = ["steps", "learning_rate", "update"];
                let synonym = match word {
                    "lr" | "rate" | "eta" => Some("learning_rate"),
                    "optimizer" | "optimiser" => Some("update"),
                    "epochs" | "iterations" => Some("steps"),
                    _ => None,
                };
                let message = match nearest(word, names).or(synonym) {
                    Some(name) => format!("unknown `{word}` in `train`, did you mean `{name}`?"),
                    None => format!(
                        "unknown `{word}` in `train`; there are `steps`, `learning_rate` and \
                             `update`"
                    ),
                };
                return Err(syn::Error::new_spanned(&key, message));
            }
        };
        once(slot, key, input.parse()?, errors);
        Ok(())
    }
}

impl Parse for Types {
    fn parse(input: ParseStream<'_>) -> Result<Types> {
        let parameter = input.parse::<Ident>()?;
        let wrong = |span: Span| {
            let message = format!("write `types({parameter} = [f32, f64])`: a list, even of one");
            syn::Error::new(span, message)
        };
        input.parse::<Token![=]>().map_err(|_| wrong(parameter.span()))?;
        if !input.peek(token::Bracket) {
            return Err(wrong(if input.is_empty() { parameter.span() } else { input.span() }));
        }
        let content;
        syn::bracketed!(content in input);
        let choices = Punctuated::<Choice, Token![,]>::parse_terminated(&content)?;
        if choices.is_empty() {
            return Err(wrong(parameter.span()));
        }
        Ok(Types { parameter, choices: choices.into_iter().map(|choice| choice.0).collect() })
    }
}

/// A type, or the value of a const parameter.
struct Choice(TokenStream);

impl Parse for Choice {
    fn parse(input: ParseStream<'_>) -> Result<Choice> {
        let ahead = input.fork();
        let is_type = ahead.parse::<Type>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,]));
        Ok(Choice(if is_type {
            input.parse::<Type>()?.into_token_stream()
        } else {
            input.parse::<Expr>()?.into_token_stream()
        }))
    }
}

/// `x` or `(x, self.w)`.
fn places(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::Tuple(tuple) => tuple.elems.into_iter().collect(),
        Expr::Paren(paren) => vec![*paren.expr],
        expr => vec![expr],
    }
}

fn once<T>(slot: &mut Option<Opt<T>>, key: Ident, value: T, errors: &mut Errors) {
    match slot {
        Some(_) => twice(&key, errors),
        None => *slot = Some(Opt { key, value }),
    }
}

fn twice(key: &Ident, errors: &mut Errors) {
    errors.at(key, format!("`{}` is given twice", written(key)));
}

/// Reads entries up to the end. One that cannot be read is an error, and reading goes on after
/// its comma, so that all errors come at once.
fn list<T>(
    tokens: TokenStream,
    errors: &mut Errors,
    mut entry: impl FnMut(ParseStream<'_>, &mut Errors) -> Result<T>,
) -> Vec<T> {
    let mut entries = Vec::new();
    // What is missing at the end is missing after the last token, not somewhere in the attribute.
    let end = tokens.clone().into_iter().last().map_or_else(Span::call_site, |last| last.span());
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(end);
    let read = |outside: ParseStream<'_>| {
        let input;
        syn::parenthesized!(input in outside);
        let input = &input;
        while !input.is_empty() {
            let wrong = match entry(input, errors) {
                Err(error) => Some(error),
                Ok(entry) => {
                    entries.push(entry);
                    let ended = input.is_empty() || input.peek(Token![,]);
                    (!ended).then(|| input.error("expected `,`"))
                }
            };
            if let Some(error) = wrong {
                errors.add(error);
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<TokenTree>()?;
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(error) = read.parse2(TokenTree::Group(group).into()) {
        errors.add(error);
    }
    entries
}
