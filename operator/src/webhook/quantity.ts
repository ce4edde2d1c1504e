const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const form = /^(?<amount>[+-]?[0-9]*[.]?[0-9]*(?:[eE][+-]?[0-9]+)?)(?<suffix>[A-Za-z]*)$/u;

/** Whether two quantities (apimachinery's resource.Quantity) are the same amount: `1` is `1000m`. */
export function equalQuantities(a: string, b: string): boolean {
  return a === b || amountOf(a) === amountOf(b);
}

function amountOf(text: string): number {
  const { amount = '', suffix = '' } = form.exec(text)?.groups ?? {};
  const factor = binary.includes(suffix) ? 1024 ** (binary.indexOf(suffix) + 1) : 1000 ** (decimal.indexOf(suffix) - decimal.indexOf(''));
  return Number((Number(amount) * factor).toPrecision(12));
}
