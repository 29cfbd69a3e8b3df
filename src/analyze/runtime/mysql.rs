//! MySQL and MariaDB: the buffer pool of InnoDB.

use super::Case;
use super::words::{last_of, size};
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    let told = last_of(case.words, &["--innodb-buffer-pool-size", "--innodb_buffer_pool_size"]);
    match told.and_then(|value| Some((size(value)?, value))) {
        Some((bytes, value)) => OwnLimit::Known(KnownLimit {
            bytes,
            of: tr!("buffer pool"),
            source: tr!("--innodb-buffer-pool-size={value} on the command line", value),
            then: tr!("it drops the pages that it used least"),
            is_told: true,
            keeping: Keeping::Fills,
        }),
        None => OwnLimit::Unseen(tr!("mysql -e 'SELECT @@innodb_buffer_pool_size' tells its largest part").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{identity, known, room};
    use crate::analyze::runtime::{LimitForJudge, limit_for_judge};

    #[test]
    fn the_pool_is_filled_by_right() {
        let told = known(&identity("/usr/sbin/mysqld --innodb-buffer-pool-size=1G"), room(1 << 31));
        assert_eq!((told.bytes, told.keeping), (1 << 30, Keeping::Fills));
        assert_eq!(limit_for_judge(&identity("/usr/sbin/mariadbd"), room(1 << 31)), Some(LimitForJudge::Unseen));
    }
}
