import { writeFileSync } from 'node:fs';
import { typesPage } from '../core/typesPage.ts';

/** Writes docs/types.md from the rules that the conversions follow. */
writeFileSync(new URL('../docs/types.md', import.meta.url), typesPage());
