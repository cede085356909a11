{{- define "vllm-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Names of objects: the release's alone where it has the chart's name in it. */}}
{{- define "vllm-operator.fullname" -}}
{{- $name := include "vllm-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "vllm-operator.serviceAccountName" -}}
{{- $own := ternary (include "vllm-operator.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $own .Values.serviceAccount.name }}
{{- end }}

{{/* The routers' NetworkPolicies admit the pods with this label, so no value changes it. */}}
{{- define "vllm-operator.selector" -}}
app.kubernetes.io/name: vllm-operator
{{- end }}

{{- define "vllm-operator.labels" -}}
{{ include "vllm-operator.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/*
Metadata but for the name. Takes a list: the context, a namespace or "", further labels, further annotations.
Labels of the chart win over those of the user.
*/}}
{{- define "vllm-operator.metadata" -}}
{{- $context := index . 0 }}
{{- $labels := merge (include "vllm-operator.labels" $context | fromYaml) (index . 2) $context.Values.commonLabels -}}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with merge (dict) (index . 3) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with index . 1 }}
namespace: {{ . }}
{{- end }}
{{- end }}

{{- define "vllm-operator.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry }}
{{- $name := printf "%s/%s" $registry .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "vllm-operator.args" -}}
- run
{{- if ne .Values.logLevel "info" }}
- --log-level={{ .Values.logLevel }}
{{- end }}
{{- if not .Values.externalMetrics.enabled }}
- --metrics-api-address=
{{- end }}
{{- with .Values.global.imageRegistry }}
- --image-registry={{ . }}
{{- end }}
{{- range .Values.global.imagePullSecrets }}
- --image-pull-secret={{ .name }}
{{- end }}
{{- with .Values.defaultImages.router }}
- --router-image={{ . }}
{{- end }}
{{- with .Values.defaultImages.redis }}
- --redis-image={{ . }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The part of an endpoint that ServiceMonitor and PodMonitor share. `families` are the metrics to take, if not all. */}}
{{- define "vllm-operator.scrape" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or .families .metricRelabelings }}
metricRelabelings:
  {{- with .families }}
  - sourceLabels: [__name__]
    regex: {{ . | quote }}
    action: keep
  {{- end }}
  {{- with .metricRelabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels of a ClusterRole whose rules become part of Kubernetes' own roles. */}}
{{- define "vllm-operator.aggregateTo" -}}
{{- range . }}
rbac.authorization.k8s.io/aggregate-to-{{ . }}: "true"
{{- end }}
{{- end }}
