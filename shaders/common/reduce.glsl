// Sums over a workgroup, for subgroups of any size.
// Needs GL_KHR_shader_subgroup_arithmetic; THREADS is the workgroup size.

shared float reduce_scratch[64];

float workgroup_add(float value) {
  value = subgroupAdd(value);
  barrier();  // the scratch of a sum before this one may still be read
  if (subgroupElect()) reduce_scratch[gl_SubgroupID] = value;
  barrier();
  float sum = 0.0;
  for (uint i = 0; i < gl_NumSubgroups; ++i) sum += reduce_scratch[i];
  return sum;
}
