//! Rows as Parquet: typed, nullable columns, compressed by Snappy, which every reader has and which needs no C library.
//!
//! By the low-level writer of the `parquet` crate, without Arrow: a row group is gathered column by column and written
//! whole, so that memory is bounded by one group.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::{Cell, Column, Encoder, Kind};

/// Rows of a group.
const GROUP: usize = 64 << 10;

/// Writes Parquet.
pub struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Gathered>,
    rows: usize,
}

/// The values of a column of the group, those that are known.
struct Gathered {
    /// 1 where a value is known, 0 where it is not.
    known: Vec<i16>,
    values: Values,
}

enum Values {
    Whole(Vec<i64>),
    Number(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a file of these columns.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Self> {
        let fields = columns.iter().map(schema).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("memtide").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("memtide ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let gathered = |column: &Column| Gathered {
            known: Vec::new(),
            values: match column.kind {
                Kind::Moment | Kind::Whole => Values::Whole(Vec::new()),
                Kind::Number => Values::Number(Vec::new()),
                Kind::Text => Values::Text(Vec::new()),
            },
        };
        Ok(Self { writer, columns: columns.iter().map(gathered).collect(), rows: 0 })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            let known = Some(&*column.known);
            match &column.values {
                Values::Whole(values) => writer.typed::<Int64Type>().write_batch(values, known, None)?,
                Values::Number(values) => writer.typed::<DoubleType>().write_batch(values, known, None)?,
                Values::Text(values) => writer.typed::<ByteArrayType>().write_batch(values, known, None)?,
            };
            writer.close()?;
            column.known.clear();
            match &mut column.values {
                Values::Whole(values) => values.clear(),
                Values::Number(values) => values.clear(),
                Values::Text(values) => values.clear(),
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Encoder for Parquet<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (&mut column.values, cell) {
                (Values::Whole(values), Cell::Whole(number)) => values.push(*number),
                (Values::Number(values), Cell::Number(number)) => values.push(*number),
                (Values::Text(values), Cell::Text(text)) => values.push(ByteArray::from(text.as_bytes().to_vec())),
                _ => {
                    column.known.push(0);
                    continue;
                }
            }
            column.known.push(1);
        }
        self.rows += 1;
        if self.rows < GROUP { Ok(()) } else { self.write_group().map_err(failed) }
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.write_group().and_then(|()| self.writer.close()).map(drop).map_err(failed)
    }
}

fn schema(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Moment => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Whole => (Physical::INT64, None),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let builder = Type::primitive_type_builder(column.key, physical).with_repetition(Repetition::OPTIONAL);
    builder.with_logical_type(logical).build().map(Arc::new)
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        // A closed pipe must be seen as one.
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
