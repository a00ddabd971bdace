/**
 * What an error of ClickHouse means for an insert.
 * - `transient`: the same insert may succeed later.
 * - `drift`: the rows name columns that the landing table does not have, or lack some that it has.
 * - `bad-data`: a row cannot be parsed or converted; the same row will fail again.
 * - `access`: the user may not do this, until somebody grants it.
 */
export type ErrorKind = 'transient' | 'drift' | 'bad-data' | 'access';

/** Codes of src/Common/ErrorCodes.cpp. What is in no list is transient: to try again loses nothing. */
const DRIFT = new Set([
  10, // NOT_FOUND_COLUMN_IN_BLOCK
  16, // NO_SUCH_COLUMN_IN_TABLE
]);

const BAD_DATA = new Set([
  6, // CANNOT_PARSE_TEXT
  25, // CANNOT_PARSE_ESCAPE_SEQUENCE
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  73, // UNKNOWN_FORMAT
  117, // INCORRECT_DATA, unless it is about a column
  131, // TOO_LARGE_STRING_SIZE
  190, // SIZES_OF_ARRAYS_DONT_MATCH
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  376, // CANNOT_PARSE_UUID
  395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: a check of the landing view
  407, // DECIMAL_OVERFLOW
  441, // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
  467, // CANNOT_PARSE_BOOL
  563, // CANNOT_READ_MAP_FROM_TEXT
  675, // CANNOT_PARSE_IPV4
  676, // CANNOT_PARSE_IPV6
  691, // UNKNOWN_ELEMENT_OF_ENUM
]);

const ACCESS = new Set([
  164, // READONLY
  192, // UNKNOWN_USER
  193, // WRONG_PASSWORD
  194, // REQUIRED_PASSWORD
  195, // IP_ADDRESS_NOT_ALLOWED
  291, // DATABASE_ACCESS_DENIED
  452, // SETTING_CONSTRAINT_VIOLATION
  497, // ACCESS_DENIED
  516, // AUTHENTICATION_FAILED
]);

/** How ClickHouse says, under a code that also means bad data, that a row's columns are not the table's. */
const COLUMN_MESSAGES = [
  /doesn't have element with name/,
  /doesn't contain tuple element/,
  /unexpected number of elements in named tuple/i,
  /unknown field found/i,
];

/** The message without the expression that ClickHouse was computing, which it appends whole. */
export function withoutExpression(message: string): string {
  return message.split(/: while executing '|: while pushing to view/, 1)[0]!;
}

/** Classifies the code (a number, or its text as @clickhouse/client gives it) and message of a ClickHouseError. */
export function classify(code: number | string, message: string): ErrorKind {
  const number = Number(code);
  if (DRIFT.has(number)) return 'drift';
  if (ACCESS.has(number)) return 'access';
  if (!BAD_DATA.has(number)) return 'transient';
  return COLUMN_MESSAGES.some((pattern) => pattern.test(message)) ? 'drift' : 'bad-data';
}
