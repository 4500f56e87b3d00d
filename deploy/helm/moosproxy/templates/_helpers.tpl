{{- define "moos.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "moos.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* What selectors select: never changes. Called with (list $ "proxy"). */}}
{{- define "moos.selector" -}}
app.kubernetes.io/name: moosproxy
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "moos.labels" -}}
{{ include "moos.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end -}}

{{- define "moos.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "moos.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Copies lie on different nodes and zones where there are some. Called with (list $ "proxy"). */}}
{{- define "moos.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "moos.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Variables from a map. */}}
{{- define "moos.env" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{- define "moos.fromSecret" -}}
valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}}
{{- end -}}

{{/* Where proxies find the tier. */}}
{{- define "moos.compressorUrl" -}}
{{- if eq .Values.compressor.mode "ray" -}}
http://{{ include "moos.name" . }}-compressor-serve-svc:8000
{{- else -}}
http://{{ include "moos.name" . }}-compressor:8687
{{- end -}}
{{- end -}}

{{- define "moos.policiesMap" -}}
{{- default (printf "%s-policies" (include "moos.name" .)) .Values.policies.existingConfigMap -}}
{{- end -}}

{{/* A node of Ray. Called with (list $ "ray-head"). */}}
{{- define "moos.rayPod" -}}
{{- $root := index . 0 }}
{{- $tier := $root.Values.compressor }}
metadata:
  labels: {{- include "moos.labels" (list $root "compressor") | nindent 4 }}
spec:
  # KubeRay gives the head a service account of its own where it scales nodes.
  securityContext: {{- include "moos.podSecurity" $root | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - {name: {{ . | quote }}}
    {{- end }}
  {{- end }}
  {{- with $tier.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tier.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ index . 1 }}
      image: {{ include "moos.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      env:
        - {name: HOME, value: /tmp}
        {{- if eq (index . 1) "ray-head" }}
        # Until a lost machine is called dead, every other one sends texts there; Ray's own values take 15 seconds.
        - {name: RAY_health_check_initial_delay_ms, value: "0"}
        - {name: RAY_health_check_period_ms, value: "500"}
        - {name: RAY_health_check_timeout_ms, value: "1000"}
        - {name: RAY_health_check_failure_threshold, value: "3"}
        {{- end }}
        - {name: MOOS_COMPRESSOR_THREADS, value: {{ $tier.threads | quote }}}
        - {name: MOOS_STATE_DIR, value: /var/lib/moos}
        - name: MOOS_COMPRESSOR_KEY
          {{- include "moos.fromSecret" $tier.keySecret | nindent 10 }}
        {{- include "moos.env" $tier.env | nindent 8 }}
      resources: {{- toYaml $tier.resources | nindent 8 }}
      securityContext: {{- include "moos.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - {name: state, mountPath: /var/lib/moos}
        - {name: tmp, mountPath: /tmp}
        - {name: shared, mountPath: /dev/shm}
  volumes:
    - {name: state, emptyDir: {sizeLimit: 256Mi}}
    - {name: tmp, emptyDir: {sizeLimit: 2Gi}}
    # Ray's store of objects; the container's own /dev/shm has 64 MB.
    - {name: shared, emptyDir: {medium: Memory, sizeLimit: 256Mi}}
{{- end -}}
