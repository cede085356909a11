/** The exposition of a Prometheus endpoint as its families: `name type{labels}`, histograms with their bounds. */
export function metricFamilies(text: string): string[] {
  const families = new Map<string, { type: string; labels: Set<string>; bounds: string[] }>();
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    families.set(name, { type, labels: new Set(), bounds: [] });
  }
  for (const [, sample = '', labels = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm)) {
    const family = families.get(sample) ?? families.get(sample.replace(/_(bucket|sum|count)$/, ''));
    if (family === undefined) continue;
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (label !== 'le') family.labels.add(label);
      else if (!family.bounds.includes(value)) family.bounds.push(value);
    }
  }
  return [...families]
    .map(([name, { type, labels, bounds }]) => {
      const le = bounds.length > 0 ? ` le ${bounds.join(' ')}` : '';
      // Facts about the engine, whose number grows with each version.
      const names = name.endsWith('_info') ? '…' : [...labels].sort().join(',');
      return `${name} ${type}{${names}}${le}`;
    })
    .sort();
}

export function isMetrics(text: string): boolean {
  return text.startsWith('# HELP');
}
