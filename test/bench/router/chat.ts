/** A chat of several turns, in English, of about as many bytes. */
export function chat(name: string, bytes: number, temperature: number): string {
  const sentence = 'The engine keeps "blocks" of keys and values in memory, which matters for throughput.\n';
  const messages = [{ role: 'system', content: 'You are helpful.' }];
  const text = () => JSON.stringify({ model: name, messages, temperature });
  while (text().length + 200 < bytes) {
    const room = Math.max(1, Math.floor((bytes - text().length) / 100));
    messages.push({
      role: messages.length % 2 ? 'user' : 'assistant',
      content: sentence.repeat(Math.min(20, room)),
    });
  }
  return text();
}
