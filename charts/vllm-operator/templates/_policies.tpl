{{/* CEL lists of what an object names, by kind. */}}
{{- define "vllm-operator.sources.models" -}}
[object.spec.model.source] + {{ include "vllm-operator.sources.pools" . }}
{{- end }}

{{- define "vllm-operator.sources.pools" -}}
object.spec.?engine.?lora.?adapters.orValue([]).map(adapter, adapter.source)
+ (has(object.spec.engine) && has(object.spec.engine.speculative) && has(object.spec.engine.speculative.model)
? [object.spec.engine.speculative.model.contains('://') ? object.spec.engine.speculative.model : (object.spec.engine.speculative.model.startsWith('/') ? 'file://' : 'hf://') + object.spec.engine.speculative.model] : [])
{{- end }}

{{- define "vllm-operator.images.models" -}}
(has(object.spec.engine) && has(object.spec.engine.image) ? [object.spec.engine.image] : [])
+ object.spec.?template.?initContainers.orValue([]).filter(container, has(container.image)).map(container, string(container.image))
+ object.spec.?template.?volumes.orValue([]).filter(volume, has(volume.image)).map(volume, string(volume.image.reference))
+ (object.spec.model.source.startsWith('oci://') ? [object.spec.model.source.substring(6)] : [])
{{- end }}

{{- define "vllm-operator.images.pools" -}}
[object.spec.?engine.?image, object.spec.?router.?image, object.spec.?responseCache.?redis.?managed.?image]
.filter(image, image.hasValue()).map(image, image.value())
{{- end }}

{{/* Checks that every item of a list begins with one of those allowed. Takes the name of the list, what an item is, and what is allowed. */}}
{{- define "vllm-operator.beginnings" -}}
{{- $allowed := index . 2 -}}
- expression: variables.{{ index . 0 }}.all(item, {{ toRawJson $allowed }}.exists(allowed, item.startsWith(allowed)))
  reason: Forbidden
  messageExpression: >-
    {{ printf "%s " (index . 1) | squote }} + variables.{{ index . 0 }}.filter(item, !{{ toRawJson $allowed }}.exists(allowed, item.startsWith(allowed)))[0]
    + {{ printf " is not allowed in this namespace; use one that begins with %s, or ask the platform team" (join ", " $allowed) | toRawJson }}
{{- end }}
