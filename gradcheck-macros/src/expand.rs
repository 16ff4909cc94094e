//! The tests, and the thin driver that hands the runtime its closures: data, not logic.
//!
//! Every closure is a function of the drawn state alone, a tuple that is moved in and out.
//! Generated variables have the hygiene of this macro, so that they never meet the user's.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::types::{Pass, Storage};
use crate::valid::{
    Arg, Buffer, Check, Draw, Forward, Gradient, Instance, Pin, Product, Source, Value, generated,
};

/// `quote!`, its own identifiers hygienic.
macro_rules! hygienic {
    ($($tokens:tt)*) => { quote_spanned!(Span::mixed_site()=> $($tokens)*) };
}

/// What goes beside the user's item.
pub(crate) fn driver_and_tests(check: &Check) -> TokenStream {
    let drivers = check.instances.iter().map(|instance| driver(check, instance));
    let tests = tests(check);
    quote!(#(#drivers)* #tests)
}

/// The scalar that the draws and the forward are instantiated with, under `exact`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Number,
    Tape,
}

/// Whether an evaluation hands its gradient over to be judged, or to be trained with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Judge,
    Train,
}

fn driver_name(check: &Check, instance: &Instance) -> Ident {
    let module = &check.module;
    let name = match &instance.name {
        Some(name) => format!("__{module}_{name}"),
        None => format!("__{module}"),
    };
    generated(&name, check.function.span())
}

fn driver(check: &Check, instance: &Instance) -> TokenStream {
    let Check { runtime, cfgs, import, .. } = check;
    let name = driver_name(check, instance);
    let aliases = &instance.aliases;
    let import = import.as_ref().map(|path| hygienic!(use #path as _;));
    let problem = problem(check, Scalar::Number);
    let body = match &check.exact {
        None => hygienic! {
            let __problem = #problem;
            __gc::check(__meta, __kind, __shard, __settings, __problem);
        },
        Some(scalar) => {
            let on_tape = self::problem(check, Scalar::Tape);
            hygienic! {
                let __problem = { type #scalar = f64; #problem };
                let __exact = { type #scalar = __gc::Var; #on_tape };
                __gc::check_exact(__meta, __kind, __shard, __settings, __problem, __exact);
            }
        }
    };
    let (meta, settings) = (meta(check), settings(check));
    let mut run = hygienic!(#meta #settings #body);
    if let Some(self_type) = &check.self_type {
        let (lifetimes, ty, inferred) = (&self_type.lifetimes, &self_type.ty, &self_type.inferred);
        // the check works on a thread of its own: the state borrows from nothing that ends
        run = hygienic! {
            trait __Driver {
                fn run(__kind: __gc::Kind, __shard: u32, __test: &'static str)
                where Self: 'static;
            }
            impl #lifetimes __Driver for #ty {
                fn run(__kind: __gc::Kind, __shard: u32, __test: &'static str)
                where Self: 'static
                { #run }
            }
            <#inferred as __Driver>::run(__kind, __shard, __test);
        };
    }
    hygienic! {
        #(#cfgs)*
        #[cfg(test)]
        #[allow(unused, deprecated, non_snake_case, clippy::all, clippy::pedantic)]
        fn #name(__kind: #runtime::__private::Kind, __shard: u32, __test: &'static str) {
            use #runtime::{__private as __gc, prelude::*};
            {
                use self::*;
                #import
                #aliases
                #run
            }
        }
    }
}

fn tests(check: &Check) -> TokenStream {
    let module = generated(&check.module, check.function.span());
    let cfgs = &check.cfgs;
    let inside: TokenStream = check
        .instances
        .iter()
        .map(|instance| {
            let driver = driver_name(check, instance);
            match &instance.name {
                None => tests_of(check, &check.module, 1, &quote!(super::#driver)),
                Some(name) => {
                    let path = format!("{}::{name}", check.module);
                    let tests = tests_of(check, &path, 2, &quote!(super::super::#driver));
                    let name = generated(name, check.function.span());
                    hygienic!(mod #name { #tests })
                }
            }
        })
        .collect();
    hygienic! {
        #(#cfgs)*
        #[cfg(test)]
        #[allow(non_snake_case)]
        mod #module { #inside }
    }
}

fn tests_of(check: &Check, path: &str, depth: usize, driver: &TokenStream) -> TokenStream {
    let (runtime, marks) = (runtime_inside(check, depth), &check.marks);
    // a directional derivative is no gradient to train with
    let trained = !matches!(check.product, Some(Product::Tangent(_)));
    let kinds = [("random_init", "RandomInit"), ("after_training", "AfterTraining")];
    let mut tests = TokenStream::new();
    for (test, kind) in kinds.into_iter().take(1 + usize::from(trained)) {
        let kind = Ident::new(kind, Span::mixed_site());
        for shard in 0..check.shards.unwrap_or(1) {
            let name = match check.shards {
                Some(_) => format!("{test}_{shard}"),
                None => test.to_owned(),
            };
            let full = format!("{path}::{name}");
            let name = generated(&name, check.function.span());
            tests.extend(hygienic! {
                #[::core::prelude::v1::test]
                #(#marks)*
                fn #name() { #driver(#runtime::__private::Kind::#kind, #shard, #full) }
            });
        }
    }
    tests
}

/// The path of the runtime, as modules inside the user's have it.
fn runtime_inside(check: &Check, depth: usize) -> TokenStream {
    let mut path = check.runtime.clone().into_iter().peekable();
    let up = (0..depth).map(|_| hygienic!(super));
    match path.peek().map(ToString::to_string).as_deref() {
        Some("self") => {
            let rest = path.skip(1);
            hygienic!(#(#up)::* #(#rest)*)
        }
        Some("super") => hygienic!(#(#up::)* #(#path)*),
        _ => path.collect(),
    }
}

fn meta(check: &Check) -> TokenStream {
    let function = check.function.unraw().to_string();
    let type_name = option(check.type_name.as_ref());
    let places = check.places.iter().map(|place| &place.text);
    let allow_zero = &check.allow_zero;
    let shards = check.shards.unwrap_or(1);
    hygienic! {
        let __meta = __gc::Meta {
            function: #function,
            type_name: #type_name,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
            manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
            test: __test,
            places: &[#(#places),*],
            allow_zero: &[#(#allow_zero),*],
            shards: #shards,
        };
    }
}

fn settings(check: &Check) -> TokenStream {
    let mut assignments = TokenStream::new();
    for (field, value) in &check.settings {
        let value = match field == "method" || field == "complex" {
            true => value.clone(),
            false => option(Some(value)),
        };
        assignments.extend(hygienic!(__settings.#field = #value;));
    }
    if let Some(steps) = &check.steps {
        let steps = option(Some(hygienic!(__gc::steps(#steps))));
        assignments.extend(hygienic!(__settings.steps = #steps;));
    }
    if let Some(rate) = &check.learning_rate {
        let rate = option(Some(rate));
        assignments.extend(hygienic!(__settings.learning_rate = #rate;));
    }
    hygienic!(let mut __settings = __gc::Settings::default(); #assignments)
}

/// `Some(..)` or `None`, whatever the user's module calls by these names.
fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => hygienic!(::core::option::Option::Some(#value)),
        None => hygienic!(::core::option::Option::None),
    }
}

fn problem(check: &Check, scalar: Scalar) -> TokenStream {
    let (draw, wrt) = (draw(check, scalar), wrt(check));
    let eval = match scalar {
        Scalar::Number => evaluation(check, Purpose::Judge),
        Scalar::Tape => primal(check),
    };
    let trained = match (&check.update, scalar) {
        (Some(update), Scalar::Number) => Some(training(check, update)),
        _ => None,
    };
    hygienic!(__gc::problem(#draw, #wrt, #eval) #trained)
}

/// The state, drawn.
fn draw(check: &Check, scalar: Scalar) -> TokenStream {
    let state = &check.state;
    let dims = check.dims.iter().map(|(name, range)| {
        let text = name.unraw().to_string();
        hygienic!(let #name: usize = __d.dim(#text, #range);)
    });
    let draws = check.draws.iter().map(|draw| {
        let Draw { text, pattern, strategy, .. } = draw;
        let ty = draw.ty.as_ref().map(|ty| quote!(: #ty));
        let method = match draw.range {
            true => hygienic!(draw_range),
            false => hygienic!(draw),
        };
        let pins = draw.pins.iter().filter_map(|pin| match scalar {
            Scalar::Number => Some(pinned(pin, pin.certain)),
            Scalar::Tape if draw.exact => None,
            // what does not name the scalar may still follow from what does
            Scalar::Tape => Some(pinned(pin, draw.range)),
        });
        hygienic!(let #pattern #ty = __d.#method(#text, #strategy); #(#pins)*)
    });
    hygienic!(|__d: &mut __gc::Draw| { #(#dims)* #(#draws)* (#(#state,)*) })
}

/// Tells the compiler a drawn variable's type: that of the parameter it goes to, or, unless
/// that is certain, the same if it can be.
fn pinned(pin: &Pin, certain: bool) -> TokenStream {
    let Pin { name, ty, pass, .. } = pin;
    if !certain {
        let ty = match syn::Type::clone(ty) {
            syn::Type::Reference(reference) => *reference.elem,
            ty => ty,
        };
        return hygienic!(__gc::like::<#ty, _>(&#name).pin(););
    }
    match pass {
        Pass::Ref { .. }
        | Pass::View(_)
        | Pass::ViewMut(_)
        | Pass::OptionRef
        | Pass::OptionDeref
        | Pass::OptionMut => {
            let lent = lent(name, *pass);
            hygienic!(let _: #ty = #lent;)
        }
        Pass::RefMut => {
            let lent = lent(name, Pass::RefMut);
            hygienic!(let _: #ty = #lent;)
        }
        Pass::Copy | Pass::Value => hygienic!(let _: &#ty = &#name;),
    }
}

/// The places that the gradient is taken with respect to.
fn wrt(check: &Check) -> TokenStream {
    let state = &check.state;
    let places = check.places.iter().map(|place| {
        let (text, lent) = (&place.text, lent_place(place));
        hygienic!(__places.place(#text, #lent);)
    });
    hygienic!(|__s, __places: &mut __gc::Places<'_>| { let (#(#state,)*) = __s; #(#places)* })
}

/// `&mut` of a place whose root is itself a `&mut`.
fn lent_place(place: &crate::valid::Place) -> TokenStream {
    let (root, tokens) = (&place.root, &place.tokens);
    let span = shown_at(quote!(#root));
    match place.whole {
        true => quote_spanned!(span=> &mut *#root),
        false => quote_spanned!(span=> &mut #tokens),
    }
}

/// One forward, and the gradient when the runtime wants it.
fn evaluation(check: &Check, purpose: Purpose) -> TokenStream {
    let state = &check.state;
    let unpacked = hygienic!(let (#(mut #state,)*) = __s;);
    let body = body(check, purpose);
    match purpose {
        Purpose::Judge => hygienic! {
            |__s, __p: &mut __gc::Probe| { #unpacked { #body } (#(#state,)*) }
        },
        Purpose::Train => hygienic! {
            |__s, __p: &mut __gc::Probe| { #unpacked let __g = { #body }; ((#(#state,)*), __g) }
        },
    }
}

/// The forward alone.
fn primal(check: &Check) -> TokenStream {
    let state = &check.state;
    let Forward { statements, value } = check.forward.as_ref().expect("`exact` has a forward");
    let value = self::value(value, Scalar::Tape);
    let name = value_name(&value);
    hygienic! {
        |__s, __p: &mut __gc::Probe| {
            let (#(mut #state,)*) = __s;
            { #statements let #name = #value; __p.value(#name); }
            (#(#state,)*)
        }
    }
}

fn body(check: &Check, purpose: Purpose) -> TokenStream {
    let no_gradient = (purpose == Purpose::Train).then(|| {
        let none = option(None::<TokenStream>);
        hygienic!(else { #none })
    });
    let gradient = gradient(check);
    let Some(forward) = &check.forward else {
        return fused(check, purpose, &gradient, no_gradient);
    };
    let statements = &forward.statements;
    let value = value(&forward.value, Scalar::Number);
    let name = value_name(&value);
    // made before the forward's own `let`s, which may shadow what they are like
    let extras = extras(check);
    let before = (!extras.is_empty()).then(|| {
        let made = extras.iter().map(|extra| &extra.made);
        let made = option(Some(hygienic!((#(#made,)*))));
        let none = option(None::<TokenStream>);
        hygienic!(let __extra = if __p.wants_gradient() { #made } else { #none };)
    });
    let unpacked = (!extras.is_empty()).then(|| {
        let patterns = extras.iter().map(|extra| &extra.pattern);
        hygienic!(let (#(#patterns,)*) = __extra.unwrap();)
    });
    let head = match &check.product {
        Some(Product::Cotangent(pattern)) => {
            let pattern = option(Some(pattern));
            hygienic!(if let #pattern = __p.cotangent(#name))
        }
        _ => hygienic!(if __p.value(#name)),
    };
    let rebound = rebound(&check.gradient);
    let judged = handed_over(check, purpose, &gradient);
    hygienic! {
        #before
        #statements
        let #name = #value;
        #head { #unpacked #rebound #judged } #no_gradient
    }
}

/// A function that returns its own value, with the gradient or beside buffers.
fn fused(
    check: &Check,
    purpose: Purpose,
    call: &TokenStream,
    no_gradient: Option<TokenStream>,
) -> TokenStream {
    if check.buffers.is_empty() {
        return match purpose {
            Purpose::Judge => {
                let both = option(Some(hygienic!((__value, __gradient))));
                hygienic! {
                    if let #both = __p.unwrap_pair(#call) {
                        if __p.value(__value) { __p.gradient(__gradient); }
                    }
                }
            }
            Purpose::Train => hygienic! {
                __p.unwrap_pair(#call).and_then(|(__value, __gradient)| {
                    if __p.value(__value) { __p.unwrap(__gradient) } #no_gradient
                })
            },
        };
    }
    let extras = extras(check);
    let (patterns, made): (Vec<_>, Vec<_>) =
        extras.iter().map(|extra| (&extra.pattern, &extra.made)).unzip();
    let written = written_buffers(check, purpose);
    hygienic! {
        let (#(#patterns,)*) = (#(#made,)*);
        let __value = #call;
        if __p.value(__value) { #written } #no_gradient
    }
}

/// What the gradient's call needs beside the state: buffers, tangents.
struct Extra {
    pattern: TokenStream,
    made: TokenStream,
}

fn extras(check: &Check) -> Vec<Extra> {
    let mut extras: Vec<Extra> =
        check.buffers.iter().map(|buffer| made_buffer(check, buffer)).collect();
    if let Some(Product::Tangent(pattern)) = &check.product {
        let tangents = check.places.iter().enumerate().map(|(i, place)| {
            let place = &place.tokens;
            hygienic!(__p.tangent(#i, &#place))
        });
        let made = match check.places.len() {
            1 => hygienic!(#(#tangents)*),
            _ => hygienic!((#(#tangents),*)),
        };
        extras.push(Extra { pattern: pattern.clone(), made });
    }
    extras
}

fn made_buffer(check: &Check, buffer: &Buffer) -> Extra {
    let Buffer { name, place, .. } = buffer;
    let method = match buffer.storage {
        Storage::Slice => hygienic!(slice_buffer),
        Storage::Array => hygienic!(buffer_as),
        Storage::Same => hygienic!(buffer),
    };
    let fill = match buffer.added {
        true => hygienic!(Added),
        false => hygienic!(Overwritten),
    };
    let like = &check.places[*place].tokens;
    Extra {
        pattern: quote!(mut #name),
        made: hygienic!(__p.#method(#place, __gc::Fill::#fill, &#like)),
    }
}

/// The gradient given to the probe, or, to train with, as the value of the block.
fn handed_over(check: &Check, purpose: Purpose, gradient: &TokenStream) -> TokenStream {
    if check.buffers.is_empty() {
        return match purpose {
            Purpose::Judge => hygienic!(__p.gradient(#gradient);),
            Purpose::Train => hygienic!(__p.unwrap(#gradient)),
        };
    }
    let fallible = check.fallible && !matches!(check.gradient, Gradient::Expr(_));
    let written = written_buffers(check, purpose);
    match (fallible, purpose) {
        (false, _) => hygienic!(let _ = #gradient; #written),
        (true, Purpose::Judge) => hygienic!(if __p.unwrap(#gradient).is_some() { #written }),
        (true, Purpose::Train) => {
            let none = option(None::<TokenStream>);
            hygienic!(if __p.unwrap(#gradient).is_some() { #written } else { #none })
        }
    }
}

/// The buffers after the call.
fn written_buffers(check: &Check, purpose: Purpose) -> TokenStream {
    match purpose {
        Purpose::Judge => check
            .buffers
            .iter()
            .map(|Buffer { name, place, .. }| hygienic!(__p.gradient_of(#place, &#name);))
            .collect(),
        Purpose::Train => {
            let mut buffers: Vec<&Buffer> = check.buffers.iter().collect();
            buffers.sort_by_key(|buffer| buffer.place);
            let names = buffers.iter().map(|buffer| &buffer.name);
            option(Some(match buffers.len() {
                1 => quote!(#(#names)*),
                _ => quote!((#(#names),*)),
            }))
        }
    }
}

/// `.trained_by(..)`: the user's update rule, run on the user's gradient.
fn training(check: &Check, update: &TokenStream) -> TokenStream {
    let state = &check.state;
    let gradient = evaluation(check, Purpose::Train);
    let places: Vec<TokenStream> = check.places.iter().map(lent_place).collect();
    let lent = match &places[..] {
        [place] => place.clone(),
        places => quote!((#(#places),*)),
    };
    let train = Ident::new(&format!("train{}", places.len()), Span::mixed_site());
    hygienic! {
        .trained_by(|__s, __p: &mut __gc::Probe| {
            __gc::#train(__s, __p, #gradient, |__s| { let (#(#state,)*) = __s; #lent }, #update)
        })
    }
}

fn value(value: &Value, scalar: Scalar) -> TokenStream {
    match value {
        Value::Expr(tokens) => tokens.clone(),
        Value::Call(callee, args) => call(callee, args),
        Value::Untyped(closure, args) => {
            let call = Ident::new(&format!("call{}", args.len()), Span::mixed_site());
            let args = args.iter().map(|arg| match (&arg.ty, scalar) {
                // the parameter's type is the closure's, which has none of its own
                (Some(ty), Scalar::Number) => {
                    let arg = argument(arg);
                    hygienic!({ let __a: #ty = #arg; __a })
                }
                _ => argument(arg),
            });
            hygienic!(__gc::#call(#closure, #(#args),*))
        }
    }
}

fn gradient(check: &Check) -> TokenStream {
    match &check.gradient {
        Gradient::Expr(tokens) => tokens.clone(),
        Gradient::Function(callee, args) => call(callee, args),
        Gradient::Method(name, turbofish, receiver, args) => {
            let receiver = match receiver.pass {
                Pass::Value => argument(receiver),
                _ => receiver.name.to_token_stream(),
            };
            call(&hygienic!(#receiver.#name #turbofish), args)
        }
    }
}

fn call(callee: &TokenStream, args: &[Arg]) -> TokenStream {
    let span = shown_at(callee.clone());
    let args = args.iter().map(argument);
    quote_spanned!(span=> #callee(#(#args),*))
}

/// The forward's value, shown where it comes from: an unsuitable type is an error there.
fn value_name(value: &TokenStream) -> Ident {
    Ident::new("__value", shown_at(value.clone()))
}

/// The hygiene of this macro, shown where the tokens begin.
fn shown_at(tokens: TokenStream) -> Span {
    let first = tokens.into_iter().next().map_or_else(Span::mixed_site, |token| token.span());
    Span::mixed_site().located_at(first)
}

fn argument(arg: &Arg) -> TokenStream {
    let name = &arg.name;
    match (arg.source, arg.pass) {
        (Source::Draw, Pass::Value) => hygienic!(::core::clone::Clone::clone(&#name)),
        (Source::Buffer, Pass::ViewMut("view_mut")) => hygienic!(__gc::view_mut(&mut #name)),
        (Source::Buffer, Pass::OptionMut) => option(Some(hygienic!(&mut #name))),
        // a `let` of the user's own has the type that the parameter asks for
        (Source::Local { .. }, Pass::OptionRef | Pass::OptionDeref | Pass::OptionMut) => {
            name.to_token_stream()
        }
        (_, pass) => lent(name, pass),
    }
}

fn lent(name: &Ident, pass: Pass) -> TokenStream {
    // the error of a wrong type lies on the user's name
    let span = Span::mixed_site().located_at(name.span());
    match pass {
        Pass::Ref { depth } => {
            let refs = (0..depth).map(|_| quote_spanned!(span=> &));
            quote!(#(#refs)* #name)
        }
        Pass::RefMut => quote_spanned!(span=> &mut #name),
        Pass::View(by) | Pass::ViewMut(by) => {
            let by = Ident::new(by, span);
            quote_spanned!(span=> #name.#by())
        }
        Pass::OptionRef => quote_spanned!(span=> #name.as_ref()),
        Pass::OptionDeref => quote_spanned!(span=> #name.as_deref()),
        Pass::OptionMut => quote_spanned!(span=> #name.as_mut()),
        Pass::Copy | Pass::Value => name.to_token_stream(),
    }
}

/// `let`s of the user's that the call borrows by `&mut` are bound again as `mut`.
fn rebound(gradient: &Gradient) -> TokenStream {
    let args = match gradient {
        Gradient::Expr(_) => return TokenStream::new(),
        Gradient::Function(_, args) | Gradient::Method(_, _, _, args) => args,
    };
    args.iter()
        .filter(|arg| arg.source == Source::Local { rebind: true })
        .map(|Arg { name, .. }| hygienic!(let mut #name = #name;))
        .collect()
}
