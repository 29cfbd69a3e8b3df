//! PHP: memory_limit, which bounds what one request may take.

use super::Case;
use super::words::{last_of, size};
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    // `-d memory_limit=256M` is two words, `-dmemory_limit=256M` one.
    let told = last_of(case.words, &["memory_limit", "-dmemory_limit"]);
    match told {
        Some("-1") => OwnLimit::Without(tr!("memory_limit=-1 on the command line").into()),
        Some(value) if size(value).is_some() => OwnLimit::Known(KnownLimit {
            bytes: size(value).unwrap_or_default(),
            of: tr!("memory of one request"),
            source: tr!("memory_limit={value} on the command line", value),
            then: tr!("the request fails, and its process goes on"),
            is_told: true,
            keeping: Keeping::Strains,
        }),
        _ => OwnLimit::Unseen(
            tr!("memory_limit bounds each request: 128M unless php.ini or the pool's php_admin_value says otherwise")
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::own_limit;
    use crate::analyze::runtime::tests::{identity, known, room};

    #[test]
    fn the_limit_of_a_request_is_read_off_the_command_line_alone() {
        assert_eq!(known(&identity("php -d memory_limit=256M worker.php"), room(1 << 31)).bytes, 256 << 20);
        assert_eq!(known(&identity("php8.2 -dmemory_limit=64M x.php"), room(1 << 31)).bytes, 64 << 20);
        let of = |command| own_limit(&identity(command), room(1 << 31));
        assert!(matches!(of("php -d memory_limit=-1 x.php"), Some(OwnLimit::Without(_))));
        assert!(matches!(of("php-fpm: pool www"), Some(OwnLimit::Unseen(_))));
    }
}
