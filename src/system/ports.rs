//! What a system asks for before a program may listen on a port.

/// What to do where listening on this port is not permitted: words for a person, in the imperative.
pub fn get_permission(port: u16) -> String {
    if cfg!(target_os = "linux") {
        format!("allow it with `sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}`")
    } else if cfg!(windows) {
        // Any process may have any port, but not one that another has for itself or the system keeps.
        "stop what has the port (`netstat -abno`; `netsh interface ipv4 show excludedportrange tcp` shows what \
         Windows keeps)"
            .to_owned()
    } else {
        "ports below 1024 are root's here: start it with `sudo`".to_owned()
    }
}
