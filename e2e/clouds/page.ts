export { blockOf } from '@rekey/lib/page.fixture.ts';
