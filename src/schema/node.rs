//! An element as it was read for the validator: strictly, with the line that it begins in.

use std::fmt;
use std::rc::Rc;

/// The namespace of `xsi:type` and `xsi:nil`.
pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A namespace declaration: prefix, empty where there is none, and namespace. Shared, because each
/// element in it has it as well.
pub(super) type Binding = (Rc<str>, Rc<str>);

/// An attribute.
#[derive(Clone)]
pub(super) struct Attribute {
    pub name: String,
    /// Its namespace; empty: none.
    pub space: String,
    pub value: String,
}

/// An element.
#[derive(Clone, Default)]
pub(super) struct Node {
    /// Its local name.
    pub name: String,
    /// Its namespace; empty: none.
    pub space: String,
    /// The line of the file that it begins in.
    pub line: usize,
    /// Where it begins and ends, in bytes of the text that it was read from.
    pub span: (usize, usize),
    /// Without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// The namespace declarations in force in it, the innermost last; at most [`BINDINGS_MAX`].
    ///
    /// [`BINDINGS_MAX`]: crate::soap::xml::BINDINGS_MAX
    pub bindings: Rc<Vec<Binding>>,
    /// How many of them stand on it itself.
    pub own_bindings: usize,
    /// All text directly inside.
    pub text: String,
    /// Its children, in order.
    pub children: Vec<Self>,
}

impl Node {
    /// The first child of that local name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The value of one of the two attributes that a validator heeds.
    pub fn instance_attribute(&self, name: &str) -> Option<&str> {
        let is_it = |one: &&Attribute| one.space == XSI && one.name == name;
        self.attributes.iter().find(is_it).map(|one| one.value.as_str())
    }

    /// `name`, or `name[2]` for the second of its name among its siblings.
    pub fn step(&self, before: &[Self]) -> String {
        let same = before.iter().filter(|one| one.name == self.name).count();
        if same == 0 {
            return self.name.clone();
        }
        format!("{}[{}]", self.name, same.saturating_add(1))
    }
}

impl fmt::Debug for Node {
    /// Names only: values are secrets, phones and names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)?;
        f.debug_list().entries(&self.children).finish()
    }
}
