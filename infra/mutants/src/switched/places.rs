//! Where in a file functions, operators, arms and structs lie, in bytes.

use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function that has a body.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// Between its braces.
    pub(super) body: Range<usize>,
    /// Whether its type is only what its body makes of it, so that two bodies would be two types.
    pub(super) is_opaque: bool,
}

/// A piece of an expression, and the expression.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) at: Range<usize>,
    pub(super) whole: Range<usize>,
    /// It holds a `let`, which may stand in a condition only.
    pub(super) has_let: bool,
}

/// An arm of a match.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pub(super) start: usize,
    pub(super) pattern_end: usize,
    pub(super) guard: Option<Range<usize>>,
}

/// All of a file's.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) functions: Vec<Function>,
    pub(super) operators: Vec<Piece>,
    pub(super) arms: Vec<Arm>,
    pub(super) fields: Vec<Piece>,
}

impl Places {
    pub(super) fn of(source: &str) -> Result<Self, String> {
        let file = syn::parse_file(source).map_err(|error| error.to_string())?;
        let mut places = Self::default();
        places.visit_file(&file);
        Ok(places)
    }

    /// The outermost function whose body holds this.
    pub(super) fn outermost(&self, range: &Range<usize>) -> Option<&Function> {
        self.around(range).max_by_key(|function| function.body.len())
    }

    /// The innermost function whose body holds this.
    pub(super) fn innermost(&self, range: &Range<usize>) -> Option<&Function> {
        self.around(range).min_by_key(|function| function.body.len())
    }

    fn around(&self, range: &Range<usize>) -> impl Iterator<Item = &Function> {
        let range = range.clone();
        self.functions
            .iter()
            .filter(move |function| function.body.start <= range.start && range.end <= function.body.end)
    }

    fn add(&mut self, output: &syn::ReturnType, block: &syn::Block) {
        let body = block.brace_token.span.open().byte_range().end..block.brace_token.span.close().byte_range().start;
        let is_opaque = matches!(output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        self.functions.push(Function { body, is_opaque });
    }
}

fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        syn::Expr::Paren(paren) => has_let(&paren.expr),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Places {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.output, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.output, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig.output, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        let whole = it.left.span().byte_range().start..it.right.span().byte_range().end;
        let has_let = has_let(&it.left) || has_let(&it.right);
        self.operators.push(Piece { at: it.op.span().byte_range(), whole, has_let });
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        let at = it.op.span().byte_range();
        let whole = at.start..it.expr.span().byte_range().end;
        self.operators.push(Piece { at, whole, has_let: false });
        visit::visit_expr_unary(self, it);
    }

    fn visit_arm(&mut self, it: &'ast syn::Arm) {
        self.arms.push(Arm {
            start: it.pat.span().byte_range().start,
            pattern_end: it.pat.span().byte_range().end,
            guard: it.guard.as_ref().map(|(_, guard)| guard.span().byte_range()),
        });
        visit::visit_arm(self, it);
    }

    fn visit_expr_struct(&mut self, it: &'ast syn::ExprStruct) {
        let whole = it.path.span().byte_range().start..it.brace_token.span.close().byte_range().end;
        for pair in it.fields.pairs() {
            let start = pair.value().span().byte_range().start;
            let end = pair.punct().map_or(pair.value().span().byte_range().end, |comma| comma.span().byte_range().end);
            self.fields.push(Piece { at: start..end, whole: whole.clone(), has_let: false });
        }
        visit::visit_expr_struct(self, it);
    }
}
