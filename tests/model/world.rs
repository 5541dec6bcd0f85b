//! All payouts together, as the checker sees them: they share the clock, the program that may
//! crash, and the rail's gate.

use std::sync::Arc;
use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use crate::graph::{Common, Graph, MUST, REACHED, SETTLES, SETTLES_NAME, index};
use crate::local::{Gate, Local};

/// Whether the rail sends (law 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rail {
    Open,
    /// Stopped, and that is not on the disk: a crash would forget it.
    Heeded,
    Stopped,
}

/// Where all payouts stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World<const N: usize> {
    pub(crate) payouts: [u32; N],
    pub(crate) rail: Rail,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// To one payout: which, and which of its moves.
    Move(usize, usize),
    All(Common),
    /// A person resumes the rail.
    Resume,
}

/// The model of `N` payouts.
pub(crate) struct Gateway<const N: usize> {
    pub(crate) graph: Arc<Graph>,
}

impl<const N: usize> Model for Gateway<N> {
    type State = World<N>;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![World { payouts: [0; N], rail: Rail::Open }]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Action>) {
        for (who, id) in state.payouts.iter().enumerate() {
            // The payouts are alike: what one can do where another stands is told once.
            if state.payouts[..who].contains(id) {
                continue;
            }
            let node = self.graph.nodes[index(*id)].as_ref().expect("explored");
            for (place, edge) in node.edges.iter().enumerate() {
                let is_open = state.rail == Rail::Open;
                let may = match edge.gate {
                    Gate::MustBeOpen => is_open,
                    Gate::MustBeShut => !is_open,
                    Gate::Nothing | Gate::Heed | Gate::Stop => true,
                };
                if may && !edge.is_beyond {
                    actions.push(Action::Move(who, place));
                }
            }
        }
        actions.extend(Common::ALL.map(Action::All));
        if state.rail != Rail::Open {
            actions.push(Action::Resume);
        }
    }

    fn next_state(&self, state: &Self::State, action: Action) -> Option<Self::State> {
        let mut next = state.clone();
        match action {
            Action::Move(who, place) => {
                let node = self.graph.nodes[index(state.payouts[who])].as_ref()?;
                let edge = node.edges[place];
                next.payouts[who] = edge.to;
                next.rail = match (edge.gate, state.rail) {
                    (Gate::Stop, _) => Rail::Stopped,
                    (Gate::Heed, Rail::Open) => Rail::Heeded,
                    (_, rail) => rail,
                };
            }
            Action::All(common) => {
                let place = Common::ALL.iter().position(|it| *it == common)?;
                for id in &mut next.payouts {
                    *id = self.graph.nodes[index(*id)].as_ref()?.common[place];
                }
                if common == Common::Crash && state.rail == Rail::Heeded {
                    next.rail = Rail::Open;
                }
            }
            Action::Resume => next.rail = Rail::Open,
        }
        // Which payout is which makes no difference.
        next.payouts.sort_unstable();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = must::<N>();
        properties.extend(reached::<N>());
        properties
    }
}

/// A property is a function without surroundings: one for each bit.
macro_rules! bits {
    ($make:path, $holds:ident, $names:expr, $($bit:literal)*) => {
        vec![$($make($names[$bit], |model: &Gateway<N>, state: &World<N>| {
            $holds(model, state, $bit)
        })),*]
    };
}

fn must<const N: usize>() -> Vec<Property<Gateway<N>>> {
    let mut names = MUST.map(|(name, _)| name).to_vec();
    names.push(SETTLES_NAME);
    assert_eq!(names.len(), 7, "one below for each");
    bits!(Property::always, all_are, names, 0 1 2 3 4 5 6)
}

fn reached<const N: usize>() -> Vec<Property<Gateway<N>>> {
    let names = REACHED.map(|(name, _)| name);
    assert_eq!(names.len(), 21, "one below for each");
    bits!(Property::sometimes, one_reached, names, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19
        20)
}

fn all_are<const N: usize>(model: &Gateway<N>, state: &World<N>, bit: usize) -> bool {
    state.payouts.iter().all(|id| model.graph.is(*id, bit))
}

fn one_reached<const N: usize>(model: &Gateway<N>, state: &World<N>, at: usize) -> bool {
    state.payouts.iter().any(|id| model.graph.is(*id, SETTLES + 1 + at))
}

/// What a run found.
pub(crate) struct Found {
    /// How many states, each once.
    pub(crate) states: usize,
    /// How many steps.
    pub(crate) steps: usize,
    /// The longest shortest way, roughly: threads race.
    pub(crate) depth: usize,
    /// What must hold and does not.
    pub(crate) broken: Vec<Broken>,
    /// What was reached of [`REACHED`].
    pub(crate) reached: Vec<&'static str>,
}

/// A property that does not hold.
pub(crate) struct Broken {
    pub(crate) property: &'static str,
    /// How it came to that, in short.
    pub(crate) steps: String,
    /// And with the states on the way.
    pub(crate) trace: String,
}

/// Explores everything, or until something broken is found: of these properties.
pub(crate) fn check<const N: usize>(graph: &Arc<Graph>, properties: &[&'static str]) -> Found {
    let model = Gateway::<N> { graph: Arc::clone(graph) };
    let checker = model
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyOf(properties.iter().copied().collect()))
        .timeout(Duration::from_secs(1_800))
        .spawn_bfs()
        .join();
    assert!(checker.is_done(), "it ran out of time");
    let mut broken = vec![];
    let mut reached = vec![];
    for (name, path) in checker.discoveries() {
        if REACHED.iter().any(|(known, _)| *known == name) {
            reached.push(name);
        } else {
            let (steps, trace) = words(graph, path);
            broken.push(Broken { property: name, steps, trace });
        }
    }
    Found {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        broken,
        reached,
    }
}

/// A path in words, in short and at length.
fn words<const N: usize>(graph: &Graph, path: Path<World<N>, Action>) -> (String, String) {
    let mut steps = vec![];
    let mut lines = vec![];
    for (state, action) in path.into_vec() {
        for id in state.payouts {
            lines.push(format!("      {}", describe(&graph.locals[index(id)])));
        }
        let step = match action {
            Some(Action::Move(who, place)) => {
                let node = graph.nodes[index(state.payouts[who])].as_ref().expect("explored");
                format!("{:?}", node.edges[place].label)
            }
            Some(Action::All(common)) => format!("{common:?}"),
            Some(Action::Resume) => "a person resumes the rail".to_owned(),
            None => continue,
        };
        lines.push(format!("  {step}"));
        steps.push(step);
    }
    (steps.join(" > "), lines.join("\n"))
}

/// A state in a line.
pub(crate) fn describe(local: &Local) -> String {
    let Local { state, send, ask, requests, question, held, jobs, wrong, .. } = local;
    let on_the_way: Vec<u8> = requests.iter().map(|request| request.ticks).collect();
    format!(
        "{} | {send:?} {ask:?} | on the way {on_the_way:?} question {question:?} | held {held:?} \
         jobs {jobs:?} wrong {wrong:?} | {state:?}",
        local.status()
    )
}
