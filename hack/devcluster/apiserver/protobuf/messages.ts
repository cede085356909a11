/**
 * Protobuf fields of the kinds that kubectl sends as protobuf (`kubectl create …`, `auth can-i`, `drain`).
 * Each entry is `<number> <JSON name> <type>`; types are string, bytes, int, bool, time, quantity,
 * intstr, another message, `[]` of these, or `{}` (a map from strings) of these; `nonzero` and `flag` are
 * numbers and booleans that Go writes though they are unset.
 */
export const MESSAGES: Readonly<Record<string, string>> = {
  TypeMeta: '1 apiVersion string, 2 kind string',
  ObjectMeta:
    '1 name string, 2 generateName string, 3 namespace string, 5 uid string, 6 resourceVersion string, 7 generation nonzero, 8 creationTimestamp time, 9 deletionTimestamp time, 11 labels {}string, 12 annotations {}string, 13 ownerReferences []OwnerReference, 14 finalizers []string',
  OwnerReference:
    '1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller bool, 7 blockOwnerDeletion bool',
  ObjectReference:
    '1 kind string, 2 namespace string, 3 name string, 4 uid string, 5 apiVersion string, 6 resourceVersion string, 7 fieldPath string',
  LocalObjectReference: '1 name string',
  LabelSelector: '1 matchLabels {}string, 2 matchExpressions []LabelSelectorRequirement',
  LabelSelectorRequirement: '1 key string, 2 operator string, 3 values []string',
  DeleteOptions:
    '1 gracePeriodSeconds int, 2 preconditions Preconditions, 3 orphanDependents bool, 4 propagationPolicy string, 5 dryRun []string',
  Preconditions: '1 uid string, 2 resourceVersion string',

  ConfigMap: '1 metadata ObjectMeta, 2 data {}string, 3 binaryData {}bytes, 4 immutable bool',
  Secret: '1 metadata ObjectMeta, 2 data {}bytes, 3 type string, 4 stringData {}string, 5 immutable bool',
  Namespace: '1 metadata ObjectMeta',
  ServiceAccount:
    '1 metadata ObjectMeta, 2 secrets []ObjectReference, 3 imagePullSecrets []LocalObjectReference, 4 automountServiceAccountToken bool',
  Service: '1 metadata ObjectMeta, 2 spec ServiceSpec',
  ServiceSpec:
    '1 ports []ServicePort, 2 selector {}string, 3 clusterIP string, 4 type string, 5 externalIPs []string, 7 sessionAffinity string, 8 loadBalancerIP string, 10 externalName string, 13 publishNotReadyAddresses flag, 18 clusterIPs []string',
  ServicePort:
    '1 name string, 2 protocol string, 3 port int, 4 targetPort intstr, 5 nodePort nonzero, 6 appProtocol string',
  Pod: '1 metadata ObjectMeta, 2 spec PodSpec',
  PodTemplateSpec: '1 metadata ObjectMeta, 2 spec PodSpec',
  PodSpec:
    '2 containers []Container, 3 restartPolicy string, 4 terminationGracePeriodSeconds int, 6 dnsPolicy string, 7 nodeSelector {}string, 8 serviceAccountName string, 10 nodeName string, 20 initContainers []Container, 21 automountServiceAccountToken bool',
  Container:
    '1 name string, 2 image string, 3 command []string, 4 args []string, 5 workingDir string, 6 ports []ContainerPort, 7 env []EnvVar, 8 resources ResourceRequirements, 14 imagePullPolicy string, 16 stdin flag, 18 tty flag',
  ContainerPort: '1 name string, 2 hostPort nonzero, 3 containerPort int, 4 protocol string',
  EnvVar: '1 name string, 2 value string',
  ResourceRequirements: '1 limits {}quantity, 2 requests {}quantity',
  Binding: '1 metadata ObjectMeta, 2 target ObjectReference',

  Deployment: '1 metadata ObjectMeta, 2 spec DeploymentSpec',
  DeploymentSpec:
    '1 replicas int, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 strategy DeploymentStrategy, 5 minReadySeconds nonzero, 6 revisionHistoryLimit int, 7 paused flag, 9 progressDeadlineSeconds int',
  DeploymentStrategy: '1 type string, 2 rollingUpdate RollingUpdateDeployment',
  RollingUpdateDeployment: '1 maxUnavailable intstr, 2 maxSurge intstr',
  HorizontalPodAutoscaler: '1 metadata ObjectMeta, 2 spec HorizontalPodAutoscalerSpec',
  HorizontalPodAutoscalerSpec:
    '1 scaleTargetRef CrossVersionObjectReference, 2 minReplicas int, 3 maxReplicas int, 4 metrics []MetricSpec',
  CrossVersionObjectReference: '1 kind string, 2 name string, 3 apiVersion string',
  MetricSpec: '1 type string, 4 resource ResourceMetricSource',
  ResourceMetricSource: '1 name string, 2 target MetricTarget',
  MetricTarget: '1 type string, 2 value quantity, 3 averageValue quantity, 4 averageUtilization int',
  Scale: '1 metadata ObjectMeta, 2 spec ScaleSpec',
  ScaleSpec: '1 replicas int',

  Role: '1 metadata ObjectMeta, 2 rules []PolicyRule',
  ClusterRole: '1 metadata ObjectMeta, 2 rules []PolicyRule, 3 aggregationRule AggregationRule',
  AggregationRule: '1 clusterRoleSelectors []LabelSelector',
  PolicyRule:
    '1 verbs []string, 2 apiGroups []string, 3 resources []string, 4 resourceNames []string, 5 nonResourceURLs []string',
  RoleBinding: '1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef',
  ClusterRoleBinding: '1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef',
  Subject: '1 kind string, 2 apiGroup string, 3 name string, 4 namespace string',
  RoleRef: '1 apiGroup string, 2 kind string, 3 name string',
  PodDisruptionBudget: '1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec',
  PodDisruptionBudgetSpec: '1 minAvailable intstr, 2 selector LabelSelector, 3 maxUnavailable intstr',
  Eviction: '1 metadata ObjectMeta, 2 deleteOptions DeleteOptions',
  PriorityClass:
    '1 metadata ObjectMeta, 2 value int, 3 globalDefault flag, 4 description string, 5 preemptionPolicy string',
  Ingress: '1 metadata ObjectMeta, 2 spec IngressSpec',
  IngressSpec:
    '1 defaultBackend IngressBackend, 2 tls []IngressTLS, 3 rules []IngressRule, 4 ingressClassName string',
  IngressTLS: '1 hosts []string, 2 secretName string',
  IngressRule: '1 host string, 2 . IngressRuleValue',
  IngressRuleValue: '1 http HTTPIngressRuleValue',
  HTTPIngressRuleValue: '1 paths []HTTPIngressPath',
  HTTPIngressPath: '1 path string, 2 backend IngressBackend, 3 pathType string',
  IngressBackend: '4 service IngressServiceBackend',
  IngressServiceBackend: '1 name string, 2 port ServiceBackendPort',
  ServiceBackendPort: '1 name string, 2 number nonzero',

  SelfSubjectAccessReview: '1 metadata ObjectMeta, 2 spec AccessReviewSpec',
  SubjectAccessReview: '1 metadata ObjectMeta, 2 spec AccessReviewSpec',
  LocalSubjectAccessReview: '1 metadata ObjectMeta, 2 spec AccessReviewSpec',
  AccessReviewSpec:
    '1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes, 3 user string, 4 groups []string, 6 uid string',
  ResourceAttributes:
    '1 namespace string, 2 verb string, 3 group string, 4 version string, 5 resource string, 6 subresource string, 7 name string',
  NonResourceAttributes: '1 path string, 2 verb string',
  SelfSubjectRulesReview: '1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec',
  SelfSubjectRulesReviewSpec: '1 namespace string',
  SelfSubjectReview: '1 metadata ObjectMeta',
  TokenReview: '1 metadata ObjectMeta, 2 spec TokenReviewSpec',
  TokenReviewSpec: '1 token string, 2 audiences []string',
  TokenRequest: '1 metadata ObjectMeta, 2 spec TokenRequestSpec',
  TokenRequestSpec: '1 audiences []string, 3 boundObjectRef BoundObjectReference, 4 expirationSeconds int',
  BoundObjectReference: '1 kind string, 2 apiVersion string, 3 name string, 4 uid string',
};
