//! What a mutant has to be written into twice, once as it was and once changed: the expressions of a file.

use std::ops::Range;

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ReturnType, Type};

use crate::lines::Lines;

/// What an expression is, as to the mutants inside.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Operators with all of their operands: another operator may bind them otherwise.
    Operators,
    Unary,
    Match,
    Guard,
    Struct,
    /// The body of a function, from its first statement on.
    Body,
    /// `&&` before or behind a `let`, beside which there is no `||`.
    Chain,
}

pub(crate) struct Unit {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
    /// No switch can be read there: it is evaluated by the compiler, or the type to return has no name.
    pub(crate) alone: bool,
}

pub(crate) fn of(text: &str, lines: &Lines<'_>) -> syn::Result<Vec<Unit>> {
    let mut finder = Finder {
        lines,
        units: Vec::new(),
        constant: false,
    };
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.units)
}

struct Finder<'a> {
    lines: &'a Lines<'a>,
    units: Vec<Unit>,
    constant: bool,
}

impl Finder<'_> {
    fn add(&mut self, kind: Kind, at: &impl Spanned) {
        let span = at.span();
        let byte = |at: LineColumn| self.lines.at(at.line, at.column);
        self.units.push(Unit {
            kind,
            range: byte(span.start())..byte(span.end()),
            alone: self.constant,
        });
    }

    fn within(&mut self, constant: bool, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.constant, constant);
        visit(self);
        self.constant = before;
    }

    fn function(
        &mut self,
        signature: &syn::Signature,
        body: &syn::Block,
        visit: impl FnOnce(&mut Self),
    ) {
        let constant = signature.constness.is_some();
        let unnamed = matches!(&signature.output, ReturnType::Type(_, of) if matches!(**of, Type::ImplTrait(_)));
        self.within(constant || unnamed, |this| this.add(Kind::Body, body));
        self.within(constant, visit);
    }

    /// Operands that are operators themselves belong to the same expression.
    fn operands(&mut self, expression: &Expr) {
        match expression {
            Expr::Binary(binary) => {
                self.operands(&binary.left);
                self.operands(&binary.right);
            }
            other => self.visit_expr(other),
        }
    }

    /// The links of a chain with a `let` in it, each of which stands for itself.
    fn links(&mut self, expression: &Expr) {
        match expression {
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && has_let(expression) => {
                self.add(Kind::Chain, &binary.op);
                self.links(&binary.left);
                self.links(&binary.right);
            }
            other => self.visit_expr(other),
        }
    }
}

fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block, |this| {
            visit::visit_item_fn(this, item)
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block, |this| {
            visit::visit_impl_item_fn(this, item)
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        match &item.default {
            Some(body) => self.function(&item.sig, body, |this| {
                visit::visit_trait_item_fn(this, item)
            }),
            None => visit::visit_trait_item_fn(self, item),
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.within(true, |this| visit::visit_item_const(this, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.within(true, |this| visit::visit_impl_item_const(this, item));
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.within(true, |this| visit::visit_trait_item_const(this, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.within(true, |this| visit::visit_item_static(this, item));
    }

    fn visit_expr_const(&mut self, item: &'ast syn::ExprConst) {
        self.within(true, |this| visit::visit_expr_const(this, item));
    }

    fn visit_variant(&mut self, item: &'ast syn::Variant) {
        self.within(true, |this| visit::visit_variant(this, item));
    }

    // The length of an array.
    fn visit_type(&mut self, item: &'ast Type) {
        self.within(true, |this| visit::visit_type(this, item));
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Binary(_) if has_let(expression) => self.links(expression),
            Expr::Binary(binary) => {
                self.add(Kind::Operators, binary);
                self.operands(expression);
            }
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        self.add(Kind::Unary, unary);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, of: &'ast syn::ExprMatch) {
        self.add(Kind::Match, of);
        visit::visit_expr_match(self, of);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.add(Kind::Guard, guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, of: &'ast syn::ExprStruct) {
        self.add(Kind::Struct, of);
        visit::visit_expr_struct(self, of);
    }
}
