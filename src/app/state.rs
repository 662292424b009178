//! Everything the program knows while it runs.

use jiff::tz::TimeZone;

use super::{CommandRecord, Desk, Entry, Log, PaneId, Slot, Station, UiState};
use crate::device::{Millis, Now};

/// The whole program, but for sockets, clocks and the terminal.
pub struct AppState {
    /// Both clocks at the last event.
    pub now: Now,
    /// In which times of day are shown.
    pub zone: TimeZone,
    /// The devices, by slot.
    pub stations: Vec<Station>,
    /// Where they are.
    pub place: Place,
    /// What happened.
    pub log: Log,
    /// What the screen shows of all this.
    pub ui: UiState,
    /// The operator's desk.
    pub desk: Desk,
    /// When to end by itself.
    pub limits: Limits,
    /// How it will end, once it is ending.
    pub ending: Option<Ending>,
    /// The seed of everything random in the first device.
    pub seed: u64,
    /// Whether nobody watches: then it ends when its devices give up.
    pub unattended: bool,
}

/// Where the devices are.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The local cloud inside this program.
    Local {
        /// Its hub's name.
        hub: String,
        /// Where it listens for MQTT.
        mqtt_port: u16,
        /// Where it listens for HTTPS.
        https_port: u16,
    },
    /// A provisioning service elsewhere.
    Service(String),
    /// A hub elsewhere.
    Hub(String),
}

/// When the program ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// At this moment.
    pub until: Option<Millis>,
    /// After so many acknowledged telemetry messages.
    pub count: Option<u64>,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As wished.
    Done,
    /// Something went wrong on the way.
    Failed,
    /// No hub was assigned.
    NotProvisioned,
    /// The hub could not be reached, or refused.
    NotConnected,
    /// By Ctrl-C or SIGINT.
    Interrupted,
    /// By SIGTERM or SIGHUP.
    Terminated,
}

impl AppState {
    /// The seed of one device: each has values of its own, and the same again when it runs alone
    /// with this seed.
    pub fn seed_of(&self, slot: Slot) -> u64 {
        seed_of(self.seed, slot)
    }

    /// A program that has not begun, with at least one device.
    pub fn new(
        now: Now,
        zone: TimeZone,
        stations: Vec<Station>,
        place: Place,
        desk: Desk,
        seed: u64,
    ) -> Self {
        let mut state = Self {
            now,
            zone,
            stations,
            place,
            log: Log::default(),
            ui: UiState::default(),
            desk,
            limits: Limits::default(),
            ending: None,
            seed,
            unattended: false,
        };
        // The keyboard begins where something can be done: with no values to turn, at the commands.
        state.refocus();
        state
    }

    /// Whether there are several devices to switch between.
    pub fn has_several(&self) -> bool {
        self.stations.len() > 1
    }

    /// The devices that are modules with inputs or outputs.
    pub fn modules(&self) -> impl Iterator<Item = (Slot, &Station)> {
        self.stations.iter().enumerate().filter(|(_, station)| station.has_ports())
    }

    /// Whether a pane has anything to show: modules where there are some, telemetry where the device
    /// sends any.
    pub fn offers(&self, pane: PaneId) -> bool {
        match pane {
            PaneId::Modules => self.modules().next().is_some(),
            PaneId::Telemetry => {
                self.stations.get(self.ui.slot).is_some_and(|station| !station.series.is_empty())
            }
            _ => true,
        }
    }

    /// The panes that have anything to show, in the order of their keys.
    pub fn panes(&self) -> Vec<PaneId> {
        PaneId::ALL.into_iter().filter(|pane| self.offers(*pane)).collect()
    }

    /// Gives the keyboard to a pane that is there, when it is with one that is not.
    pub(super) fn refocus(&mut self) {
        let instead = [self.ui.focus, PaneId::Telemetry, PaneId::Modules];
        let offered = instead.into_iter().find(|pane| self.offers(*pane));
        self.ui.focus = offered.unwrap_or(PaneId::Commands);
    }

    /// What every device is called, by slot: as short as tells them apart.
    pub fn labels(&self) -> Vec<String> {
        let one_device = self.stations.windows(2).all(|pair| pair[0].name == pair[1].name);
        let label = |station: &Station| match &station.module {
            Some(module) if one_device => module.to_string(),
            _ => station.label(),
        };
        self.stations.iter().map(label).collect()
    }

    /// The device on the screen.
    pub fn station(&self) -> &Station {
        &self.stations[self.ui.slot]
    }

    /// The entries that pass the log's filter, oldest first.
    pub fn filtered_log(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let words = self.ui.filter.value();
        let labels = if self.has_several() { self.labels() } else { Vec::new() };
        self.log.entries().filter(move |entry| {
            let device = entry.slot.and_then(|slot| labels.get(slot)).map_or("", String::as_str);
            entry.matches(device, words)
        })
    }

    /// The call that an entry tells of, while the history has it.
    pub fn call_of(&self, entry: &Entry) -> Option<&CommandRecord> {
        let station = self.stations.get(entry.slot?)?;
        station.commands.iter().rev().find(|record| record.entry == Some(entry.id))
    }

    /// When the program wants an [`Event::Tick`](super::Event::Tick): for its devices, or to end.
    pub fn next_due(&self) -> Option<Millis> {
        let devices = self.stations.iter().filter_map(|station| station.device.next_due());
        let end = self.limits.until.filter(|_| self.ending.is_none());
        devices.chain(end).min()
    }
}

/// The seed of the device in `slot`, when this is the first one's.
pub fn seed_of(first: u64, slot: Slot) -> u64 {
    first.wrapping_add(slot as u64)
}
