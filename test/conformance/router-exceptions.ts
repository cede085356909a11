interface RouterException {
  requests: RegExp;
  reason: string;
}

/** Requests that the router answers itself, in other words than the engine. */
const OWN_ANSWERS: readonly RouterException[] = [
  { requests: /error: unknown model$/, reason: 'the router lists no other names' },
  { requests: /the model left out$|^tokenizer_info$/, reason: 'the model says where a request goes' },
  {
    requests:
      /error: (?:a list|a text|null|an empty body|cut JSON|a comma too many|no UTF-8|no content type|a form|plain text)$/,
    reason: 'the router reads the model from the body, and says itself what it cannot read',
  },
  { requests: /^chat by (?:GET|DELETE|OPTIONS)$/, reason: 'the router knows the methods of a path' },
  { requests: /^speech to text of a model that chats$/, reason: 'the router reads the form for its model' },
  {
    requests: /previous response|response(?: that is no response)?$|background without a store$/,
    reason: 'stored responses belong to one engine; the router refuses them',
  },
];

/** Why the router may answer a request otherwise than the engine; undefined where it may not. */
export function routerException(request: string): string | undefined {
  return OWN_ANSWERS.find(({ requests }) => requests.test(request))?.reason;
}
