/** Text of a Java properties file; backslashes and line ends in values are escaped. */
export function formatProperties(properties: Readonly<Record<string, string | number | boolean>>): string {
  const lines = Object.entries(properties).map(([key, value]) => {
    const escaped = String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    return `${key}=${escaped}\n`;
  });
  return lines.join('');
}
