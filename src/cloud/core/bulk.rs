//! Many identities changed in one request, each for itself: one that cannot be does not stop the
//! others.
//!
//! IoT Hub REST, "Bulk Registry - Update Registry", `ExportImportDevice`.

use super::fault::Fault;
use super::identities::Spec;
use super::registry::{Address, Precondition};
use super::service::Write;
use super::twins::TwinUpdate;
use super::{Core, Output};
use crate::device::Now;

/// The most identities in one request.
pub const LIMIT: usize = 100;

/// What is to be done with an identity.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make it, with this twin.
    Create(Spec, TwinUpdate),
    /// Change it.
    Change(Spec, Precondition),
    /// Delete it.
    Delete(Address, Precondition),
    /// Change its twin.
    Twin(Address, TwinUpdate, Precondition),
}

impl Step {
    /// Which identity it is about.
    pub fn address(&self) -> &Address {
        match self {
            Self::Create(spec, _) | Self::Change(spec, _) => &spec.address,
            Self::Delete(address, _) | Self::Twin(address, ..) => address,
        }
    }
}

impl Core {
    /// Takes one step of a bulk request.
    pub fn take_step(&mut self, now: Now, step: Step, out: &mut Vec<Output>) -> Result<(), Fault> {
        match step {
            Step::Create(spec, twin) => {
                let address = spec.address.clone();
                self.create(now, spec)?;
                if twin == TwinUpdate::default() {
                    return Ok(());
                }
                let written = self.write_twin(now, &address, &twin, Write::Merge, &Precondition::Any, out);
                let written = written.map(|_| ());
                // An identity without the twin that it was asked for is not what was asked for.
                written.inspect_err(|_| {
                    let _ = self.delete(&address, &Precondition::Any, out);
                })
            }
            Step::Change(spec, condition) => self.change(now, spec, &condition, out).map(|_| ()),
            Step::Delete(address, condition) => self.delete(&address, &condition, out),
            Step::Twin(address, twin, condition) => {
                self.write_twin(now, &address, &twin, Write::Merge, &condition, out).map(|_| ())
            }
        }
    }
}
