/** Addresses from an IPv4 range such as `127.80.0.0/16`, each used again as late as possible; none ends in 0 or 255. */
export class AddressPool {
  readonly #cidr: string;
  readonly #first: number;
  readonly #size: number;
  readonly #taken = new Set<string>();
  #next = 1;

  constructor(cidr: string) {
    const [base = '', length = ''] = cidr.split('/');
    this.#cidr = cidr;
    this.#first = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#size = 2 ** (32 - Number(length));
  }

  /** The next free address. Throws an Error when there is none. */
  take(): string {
    for (let tried = 0; tried < this.#size; tried++) {
      const number = this.#first + this.#next;
      this.#next = (this.#next + 1) % this.#size;
      const last = number % 256;
      if (last === 0 || last === 255) continue;
      const address = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    throw new Error(`all addresses of ${this.#cidr} are taken: delete pods or Services`);
  }

  reserve(address: string): void {
    if (address !== 'None') this.#taken.add(address);
  }

  release(address: string): void {
    this.#taken.delete(address);
  }
}
